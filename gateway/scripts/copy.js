// Copies what a button names, and says so.
import { announce } from "./swap.js";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button || button.hasAttribute("data-shown")) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const words = button.querySelector("span");
  const before = words.textContent;
  button.style.minWidth = `${button.offsetWidth}px`;
  button.setAttribute("data-shown", "");
  words.textContent = button.dataset.copied;
  announce(button.dataset.copied);
  setTimeout(() => {
    words.textContent = before;
    button.removeAttribute("data-shown");
  }, 2_000);
});
