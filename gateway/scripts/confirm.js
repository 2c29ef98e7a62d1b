// Asks before something is done: a sentence of a form (`data-confirm`), or the page that a link leads to (`data-dialog`).
import { read } from "./swap.js";

let agreed = null;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.confirm || agreed === form) {
    agreed = null;
    return;
  }
  event.preventDefault();
  const submitter = event.submitter ?? form.querySelector("[type=submit]");
  const dialog = opened(() => {
    const question = Object.assign(document.createElement("h2"), { textContent: form.dataset.confirm, id: "question" });
    const yes = submitter.cloneNode(true);
    const no = Object.assign(document.createElement("button"), { className: "button button-secondary", textContent: form.dataset.cancel });
    yes.type = no.type = "button";
    no.autofocus = true;
    yes.addEventListener("click", () => {
      dialog.close();
      agreed = form;
      form.requestSubmit(submitter);
    });
    no.addEventListener("click", () => dialog.close());
    const actions = Object.assign(document.createElement("div"), { className: "actions" });
    actions.append(yes, no);
    return [question, actions];
  });
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const page = await fetch(link.href).then(read, () => null);
  const content = page?.querySelector("[data-dialog-content]");
  if (!content) return location.assign(link.href);
  const dialog = opened(() => {
    const body = document.importNode(content, true);
    body.className = "dialog-body";
    body.querySelector("h1, h2").id = "question";
    return [body];
  });
  dialog.addEventListener("click", (click) => {
    if (!click.target.closest("[data-close]")) return;
    click.preventDefault();
    dialog.close();
  });
});

function opened(content) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  document.body.append(dialog);
  dialog.append(...content());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.showModal();
  return dialog;
}
