// Shows what a change would do before it is sent. A part of a form asks with its field (GET), a form with all it has (POST).
import { forgive } from "./forgive.js";
import { read, swap } from "./swap.js";

const TYPING_MS = 200;
const TYPING_MUCH_MS = 500;
let timer = 0;
let asked = new AbortController();

document.addEventListener("input", ({ target }) => {
  const source = target.closest?.("[data-preview]");
  if (!source) return;
  clearTimeout(timer);
  timer = setTimeout(() => show(source), source.localName === "form" ? TYPING_MUCH_MS : TYPING_MS);
});

async function show(source) {
  asked.abort();
  asked = new AbortController();
  const into = document.getElementById(source.dataset.previewInto);
  into?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(...request(source));
    const page = response.ok || response.status === 422 ? await read(response) : null;
    swap(source.dataset.previewInto, page);
    if (page && source.localName !== "form" && !page.querySelector(".alert") && source.matches(".field-wrong")) forgive(source);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
  } finally {
    into?.removeAttribute("aria-busy");
  }
}

function request(source) {
  const { signal } = asked;
  if (source.localName === "form") return [source.dataset.preview, { method: "POST", body: new FormData(source), signal }];
  const url = new URL(source.dataset.preview, location.href);
  for (const field of source.querySelectorAll("[name]")) url.searchParams.set(field.name, field.value);
  return [url, { signal }];
}
