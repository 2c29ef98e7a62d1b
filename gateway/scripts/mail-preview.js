// The preview of a mail follows what is typed, and what can be named is put where the cursor was.
const form = document.querySelector("[data-mail]");
const button = form?.querySelector("[data-preview-button]");
const PAUSE_MS = 500;
let waiting;
let field = form?.querySelector("[data-insertable]");

function show() {
  clearTimeout(waiting);
  form.requestSubmit(button);
}

if (form) {
  button.hidden = true;
  form.addEventListener("focusin", ({ target }) => {
    if (target.matches("[data-insertable]")) field = target;
  });
  form.addEventListener("input", ({ target }) => {
    clearTimeout(waiting);
    if (target.matches("[data-preview-choice]")) return show();
    waiting = setTimeout(show, PAUSE_MS);
  });
  form.addEventListener("click", ({ target }) => {
    const name = target.closest("[data-insert]");
    if (!name) return;
    field.closest("details").open = true;
    field.setRangeText(name.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
