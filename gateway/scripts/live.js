// Parts that change by themselves, such as a process: the page is asked again while somebody looks at it, less and less often.
import { announce, read, swap } from "./swap.js";

const FIRST_MS = 3_000;
const LONGEST_MS = 30_000;
const SLOWER = 1.5;
let delay = FIRST_MS;
let timer = 0;

const parts = () => [...document.querySelectorAll("[data-live][id]")];

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return clearTimeout(timer);
  delay = FIRST_MS;
  again(300);
});
again(delay);

function again(after) {
  clearTimeout(timer);
  if (parts().length && !document.hidden) timer = setTimeout(refresh, after);
}

async function refresh() {
  delay = Math.min(delay * SLOWER, LONGEST_MS);
  try {
    const response = await fetch(location.href, { headers: { "X-Live": "1" } });
    if (response.redirected) return;
    const page = response.ok ? await read(response) : null;
    const changed = parts().filter((part) => !isInUse(part) && swap(part.id, page));
    if (changed.length) delay = FIRST_MS;
    if (changed.some((part) => part.querySelector(".banner"))) document.querySelector(".said")?.remove();
    if (changed.length) announce(changed[0].dataset.live || document.title);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // TypeError: the network is away, and we try again.
  }
  again(delay);
}

function isInUse(part) {
  return part.contains(document.activeElement) || part.querySelector("details[open], dialog[open]") !== null;
}
