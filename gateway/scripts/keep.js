// Whoever comes back with the back button finds what he had typed: it is kept in this tab until he signs out.
const FORMS = 'form[data-form][method="post"]:not(.form-press)';
const NEVER = '[type="hidden"], [type="password"], [type="file"], [autocomplete="one-time-code"], [data-forget]';

const key = (form) => `typed ${location.pathname} ${form.id || form.getAttribute("action")}`;
const fields = (form) => [...form.elements].filter((each) => each.name && "value" in each && !each.matches(NEVER));
const boxes = 'input[type="checkbox"], input[type="radio"]';

document.addEventListener("input", ({ target }) => {
  const form = target.form;
  if (!form?.matches(FORMS)) return;
  const typed = fields(form)
    .filter((each) => each.localName !== "button")
    .map((each) => [each.name, each.value, each.matches(boxes) ? each.checked : null]);
  try {
    sessionStorage.setItem(key(form), JSON.stringify(typed));
  } catch {
    return; // The tab may be full, or keep nothing at all.
  }
});

document.addEventListener("submit", ({ target }) => {
  if (target.getAttribute("action") === "/sign-out") sessionStorage.clear();
});

if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
  document.querySelectorAll(FORMS).forEach(restore);
}

function restore(form) {
  const typed = JSON.parse(sessionStorage.getItem(key(form)) ?? "[]");
  for (const [name, value, checked] of typed) {
    const field = fields(form).find((each) => each.name === name && (checked === null || each.value === value));
    if (!field) continue;
    if (checked === null) field.value = value;
    else field.checked = checked;
  }
  if (typed.length) form.querySelector("[data-amount] input")?.dispatchEvent(new Event("input", { bubbles: true }));
}
