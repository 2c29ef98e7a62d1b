// Rules: only the value that a test needs is shown, and the sentence above follows what is chosen.
const rules = document.querySelector("[data-rules]");
const told = document.querySelector("[data-told]");

function value(row) {
  const boxes = [...row.querySelectorAll("[data-rule-value] input:checked")];
  if (row.querySelector("[data-rule-value] [type=checkbox]")) {
    return boxes.map((box) => row.querySelector(`label[for="${CSS.escape(box.id)}"]`).textContent).join(` ${rules.dataset.or} `);
  }
  const day = row.querySelector("[data-rule-day]");
  if (day?.value === "today") return day.selectedOptions[0].textContent;
  const field = row.querySelector("[data-rule-value] input, [data-rule-value] select:not([data-rule-day])");
  if (field?.type === "date" && field.value) return new Date(`${field.value}T00:00`).toLocaleDateString(document.documentElement.lang, { dateStyle: "medium" });
  return field?.selectedOptions?.[0].textContent ?? field?.value;
}

function sentence(row) {
  const chosen = row.querySelector("[data-rule-test]")?.selectedOptions[0];
  return chosen ? chosen.dataset.says.replace("%", () => value(row) || "…") : row.dataset.says;
}

function refresh() {
  const rows = [...rules.querySelectorAll("[data-rule]")];
  for (const row of rows) {
    const test = row.querySelector("[data-rule-test]")?.selectedOptions[0];
    row.querySelector("[data-rule-value]")?.toggleAttribute("hidden", Boolean(test?.hasAttribute("data-alone")));
    const day = row.querySelector("[data-rule-day]");
    if (day) row.querySelector("[type=date]").closest(".field").hidden = day.value === "today";
  }
  const { when, and, always } = rules.dataset;
  if (told) told.textContent = rows.length ? `${when} ${rows.map(sentence).join(` ${and} `)}.` : always;
}

function leads(form) {
  const to = form?.elements.leads?.value;
  if (!to) return;
  form.elements.to.closest(".field").hidden = to === "journey";
  form.elements.journey.closest(".field").hidden = to !== "journey";
}

if (rules) {
  const { form } = rules.querySelector("input") ?? document.getElementById("f-add");
  form.addEventListener("input", ({ target }) => {
    if (target.id !== "f-add") refresh();
    if (target.name === "leads") leads(form);
    if (target.dataset.refresh) submit(form, target.dataset.refresh);
    if (target.id === "f-add" && target.value) submit(form, "add");
  });
  refresh();
  leads(form);
}

function submit(form, word) {
  const button = Object.assign(document.createElement("button"), { name: "do", value: word, hidden: true, formNoValidate: true });
  form.append(button);
  form.requestSubmit(button);
}
