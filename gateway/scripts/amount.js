// A slider and a number field that are one: whichever is moved, the other follows.
document.addEventListener("input", ({ target }) => {
  const amount = target.closest?.("[data-amount]");
  if (!amount) return;
  const [number, slider] = [amount.querySelector("input:not([type=range])"), amount.querySelector("[type=range]")];
  if (target === slider) {
    number.value = shown(Number(slider.value));
  } else {
    const typed = cents(number.value);
    if (typed !== null) slider.value = typed;
  }
  fill(slider);
});

document.querySelectorAll("[data-amount] [type=range]").forEach(fill);

function fill(slider) {
  const [value, min, max] = [slider.value, slider.min, slider.max].map(Number);
  slider.style.setProperty("--share", max > min ? (value - min) / (max - min) : 0);
  slider.setAttribute("aria-valuetext", `${shown(value)} ${slider.dataset.currency ?? ""}`.trim());
}

function shown(value) {
  const text = value % 100 ? (value / 100).toFixed(2) : String(value / 100);
  return document.documentElement.lang === "de" ? text.replace(".", ",") : text;
}

/** "95", "95,5", "1.095,50" and "1,095.50" in cents; null for what is no amount. */
function cents(text) {
  const plain = text.replace(/[\s€]/g, "");
  const found = /^(\d{1,3}(?:[.,]\d{3})+|\d+)(?:[.,](\d{0,2}))?$/.exec(plain);
  return found ? Number(found[1].replace(/[.,]/g, "")) * 100 + Number((found[2] ?? "").padEnd(2, "0")) : null;
}
