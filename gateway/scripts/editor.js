// Numbers the lines of a document, and leads from a mistake to its line.
const editor = document.querySelector("[data-editor]");
const text = editor?.querySelector("textarea");

if (text) {
  const numbers = Object.assign(document.createElement("div"), { className: "editor-numbers" });
  numbers.setAttribute("aria-hidden", "true");
  const frame = Object.assign(document.createElement("div"), { className: "editor-frame" });
  text.replaceWith(frame);
  frame.append(numbers, text);
  const count = () => {
    const all = text.value.split("\n").length;
    numbers.textContent = Array.from({ length: all }, (_, index) => index + 1).join("\n");
    numbers.scrollTop = text.scrollTop;
  };
  text.addEventListener("input", count);
  text.addEventListener("scroll", () => (numbers.scrollTop = text.scrollTop));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-line]");
    if (!link) return;
    event.preventDefault();
    show(Number(link.dataset.line));
  });
  count();
}

function show(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus({ preventScroll: true });
  text.setSelectionRange(start, start + lines[line - 1].length);
  const height = text.scrollHeight / lines.length;
  text.scrollTop = Math.max(0, (line - 8) * height);
  text.scrollIntoView({ block: "nearest" });
}
