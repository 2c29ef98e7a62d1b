// The preview of a design follows every change at once: colours, logo, and whether they can be read (WCAG 2.2, 1.4.3).
const form = document.querySelector("[data-design]");
const frame = document.querySelector("[data-design-frame]");
const READABLE = 4.5;
const STEPS = 20;
const COLOUR = /^#[0-9a-f]{6}$/i;

const channels = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
const linear = (share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);

function contrast(one, other) {
  const [dark, light] = [one, other]
    .map((colour) => channels(colour).map((each) => linear(each / 255)))
    .map(([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue)
    .sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function darkened(colour) {
  for (let step = 0; step <= STEPS; step += 1) {
    const shade = `#${channels(colour).map((each) => Math.round(each * (1 - step / STEPS)).toString(16).padStart(2, "0")).join("")}`;
    if (contrast(shade, "#ffffff") >= READABLE) return shade;
  }
  return "#000000";
}

function told(page, name, ratio) {
  const check = page.querySelector(`[data-check="${name}"]`);
  const shown = new Intl.NumberFormat(document.documentElement.lang === "de" ? "de" : "en-GB", { maximumFractionDigits: 1 });
  check.querySelector("[data-ratio]").textContent = `${shown.format(ratio)} : 1`;
  check.querySelector("[data-passes]").hidden = ratio < READABLE;
  check.querySelector("[data-fails]").hidden = ratio >= READABLE;
}

function paint() {
  const page = frame.contentDocument;
  if (!page?.querySelector("[data-check]")) return;
  const typed = (name) => form.elements[`design.${name}`].value;
  const brand = COLOUR.test(typed("brand")) ? typed("brand") : form.elements["picked.brand"].value;
  const accent = COLOUR.test(typed("accent")) ? typed("accent") : brand;
  for (const [name, colour] of [["brand", brand], ["accent", accent]]) {
    const on = contrast(colour, "#ffffff") >= READABLE ? "#ffffff" : "#000000";
    const values = { [`--${name}`]: colour, [`--${name}-on`]: on, [`--${name}-text`]: darkened(colour) };
    for (const [property, value] of Object.entries(values)) page.documentElement.style.setProperty(property, value);
    if (name === "brand") told(page, "on", contrast(colour, on));
  }
  told(page, "white", contrast(brand, "#ffffff"));
  told(page, "accent", contrast(accent, "#ffffff"));
  page.querySelector("[data-darker]").hidden = contrast(brand, "#ffffff") >= READABLE;
  page.querySelector("[data-darker-colour]").textContent = darkened(brand);
  draw(page);
  frame.style.height = `${page.body.offsetHeight + 2}px`;
}

function draw(page) {
  const logo = form.querySelector("[data-logo-text]").value.trim();
  for (const image of page.querySelectorAll("[data-logo]")) {
    image.hidden = !logo;
    image.nextElementSibling.hidden = Boolean(logo);
    if (logo) image.src = `data:image/svg+xml,${encodeURIComponent(logo)}`;
  }
}

if (form && frame) {
  form.querySelector("[data-design-button]").hidden = true;
  form.addEventListener("input", async ({ target }) => {
    const name = target.closest("[data-colour]")?.dataset.colour;
    if (name && target.type === "color") form.elements[`design.${name}`].value = target.value;
    if (name && target.type === "text" && COLOUR.test(target.value)) form.elements[`picked.${name}`].value = target.value;
    if (target.type === "file" && target.files[0]) form.querySelector("[data-logo-text]").value = await target.files[0].text();
    if (target.name === "logo_gone" && target.checked) form.querySelector("[data-logo-text]").value = "";
    paint();
  });
  frame.addEventListener("load", paint);
  addEventListener("resize", paint);
  paint();
}
