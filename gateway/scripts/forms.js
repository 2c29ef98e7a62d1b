// A form is sent once however often the button is pressed, and the button shows that it is on its way.
const PATIENCE_MS = 12_000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || event.submitter?.formTarget || !form.matches("[data-form]")) return;
  if (form.hasAttribute("data-sent") || form.querySelector("progress")) {
    event.preventDefault();
    return;
  }
  form.setAttribute("data-sent", "");
  event.submitter?.setAttribute("aria-busy", "true");
  setTimeout(() => release(form), PATIENCE_MS);
});

addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach(release));

document.querySelector("[data-focus]")?.focus();

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('.errors a[href^="#"]');
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  (field.querySelector("input, select, textarea") ?? field).focus();
  field.closest(".field, .choices")?.scrollIntoView({ block: "center" });
});

function release(form) {
  form.removeAttribute("data-sent");
  form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
}
