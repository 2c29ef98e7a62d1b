// Keeps answers as they are given, and asks the questions that follow from them without leaving the page.
import { forgive } from "./forgive.js";
import { announce, read, swap } from "./swap.js";

const TYPING_MS = 1200;
const form = document.querySelector("[data-journey]");
const missing = [...(form?.querySelectorAll(".field-wrong") ?? [])].filter((question) => !isAnswered(question));
let timer = 0;
let under_way = new AbortController();
let changed = false;

if (form) {
  form.addEventListener("input", () => later(TYPING_MS));
  form.addEventListener("change", ({ target }) => target.type !== "file" && later(0));
  form.addEventListener("submit", stop, true);
  addEventListener("pagehide", () => changed && fetch(form.dataset.journey, { ...request(), keepalive: true }).catch(() => null));
}

function later(milliseconds) {
  changed = true;
  clearTimeout(timer);
  timer = setTimeout(keep, milliseconds);
}

function stop() {
  clearTimeout(timer);
  under_way.abort();
  changed = false;
}

async function keep() {
  under_way.abort();
  under_way = new AbortController();
  changed = false;
  try {
    const response = await fetch(form.dataset.journey, { ...request(), signal: under_way.signal });
    const page = response.ok && !response.redirected ? await read(response) : null;
    if (page) show(page);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
    changed = true;
  }
}

function request() {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") body.append(name, value);
  return { method: "POST", body };
}

/** Other questions than before take the place of those that stand there; the focus stays where it was. */
function show(page) {
  const here = document.querySelector("#questions");
  const there = page.querySelector("#questions");
  const kept = form.dataset.keptWord;
  form.querySelector("[data-kept]").textContent = kept;
  missing.filter(isAnswered).forEach(forgive);
  if (!there || (here.dataset.asked === there.dataset.asked && !there.querySelector("[data-follows]"))) return;
  const focused = document.activeElement?.id;
  const before = here.dataset.asked;
  if (before === there.dataset.asked) return void swap("ending", page);
  swap("questions", page);
  document.getElementById(focused)?.focus();
  announce(kept);
}

function isAnswered(question) {
  const fields = [...question.querySelectorAll("input, select, textarea")];
  return fields.some(({ type, checked, value }) => (type === "radio" || type === "checkbox" ? checked : value.trim()));
}
