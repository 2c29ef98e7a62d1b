// In a filter, choosing is enough; the field that was used has the focus again on the page that follows.
const FOCUS = "focus after filter";

document.addEventListener("change", ({ target }) => {
  const form = target.form;
  if (!form?.matches("[data-auto]") || target.closest("[data-menu]") || !target.matches("select, [type=checkbox], [type=radio], [type=date]")) return;
  sessionStorage.setItem(FOCUS, target.id);
  form.requestSubmit();
});

document.addEventListener("submit", ({ target }) => {
  if (!target.matches(".filters")) return;
  for (const field of target.elements) if (field.name && !field.value) field.disabled = true;
});

addEventListener("pageshow", () => document.querySelectorAll(".filters :disabled").forEach((each) => (each.disabled = false)));

const wanted = sessionStorage.getItem(FOCUS);
if (wanted) {
  sessionStorage.removeItem(FOCUS);
  document.getElementById(wanted)?.focus({ preventScroll: true });
}
