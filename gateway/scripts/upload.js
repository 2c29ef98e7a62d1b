// Files go up as soon as they are chosen or dropped, with a bar; the server answers with the page, and its list is taken over.
import { send } from "./upload-file.js";

document.addEventListener("change", ({ target }) => {
  const field = target.type === "file" && target.closest("[data-upload]");
  if (field) sendAll(field, [...target.files]);
  else if (target.type === "file") tell(target);
});

/** Which files go with the form. */
function tell(input) {
  const told = input.closest(".files-drop")?.querySelector("[data-chosen]");
  if (!told || !input.files.length) return;
  told.textContent = told.dataset.names = [...input.files].map(({ name }) => name).join(", ");
}

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const drop = event.target.closest?.(".files-drop");
    if (!drop) return;
    event.preventDefault();
    drop.toggleAttribute("data-over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) dropped(drop, event.dataTransfer.files);
  });
}

function dropped(drop, files) {
  const input = drop.querySelector("input");
  const field = drop.closest("[data-upload]");
  if (field) sendAll(field, input.multiple ? [...files] : [files[0]]);
  else {
    input.files = files;
    tell(input);
  }
}

const underWay = new Map();

function sendAll(field, files) {
  for (const failed of field.querySelectorAll(".file-failed")) failed.remove();
  const { form } = field.querySelector("input[type=file]");
  const before = underWay.get(form) ?? Promise.resolve();
  const sent = before.then(async () => {
    for (const file of files) await send(field, file);
    field.querySelector("input[type=file]").value = "";
    if (underWay.get(form) === sent) underWay.delete(form);
  });
  underWay.set(form, sent);
}

// Whoever goes on while a file is on its way goes on when it has arrived; when it has not, he is told so.
document.addEventListener(
  "submit",
  (event) => {
    const { target, submitter } = event;
    const sent = underWay.get(target);
    if (!sent) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    submitter?.setAttribute("aria-busy", "true");
    sent.then(() => {
      submitter?.removeAttribute("aria-busy");
      if (!target.querySelector(".file-failed")) target.requestSubmit(submitter);
    });
  },
  true,
);
