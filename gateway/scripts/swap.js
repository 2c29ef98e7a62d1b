// Puts a part of a page that was fetched in the place of the same part of this page.

/** The document of an answer; null when it is no page of ours that answers what was asked. */
export async function read(response) {
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  if (!isPage) return null;
  const text = (await response.text()).replace(/<style[^]*?<\/style>/g, ""); // its nonce is of another page
  return new DOMParser().parseFromString(text, "text/html");
}

/** Whether the element with the id looks different in the document; then its content and attributes become those. */
export function swap(id, fetched) {
  const here = document.getElementById(id);
  const there = fetched?.getElementById(id);
  if (!here || !there || looks(here) === looks(there)) return false;
  for (const { name } of [...here.attributes]) if (!there.hasAttribute(name)) here.removeAttribute(name);
  for (const { name, value } of there.attributes) if (name !== "style") here.setAttribute(name, value);
  here.replaceChildren(...document.importNode(there, true).childNodes);
  return true;
}

/** Says something to screen readers, politely. */
export function announce(words) {
  let region = document.querySelector("#announced");
  if (!region) {
    region = Object.assign(document.createElement("div"), { id: "announced", className: "unseen" });
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  setTimeout(() => (region.textContent = words), 100);
}

function looks(element) {
  const copy = element.cloneNode(true);
  for (const hidden of copy.querySelectorAll('input[name="proof"], input[name="press"]')) hidden.remove();
  for (const open of copy.querySelectorAll("details[open]")) open.removeAttribute("open");
  return copy.outerHTML;
}
