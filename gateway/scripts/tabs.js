// Tabs that have no room are scrolled sideways: the one that is open is in view.
for (const tabs of document.querySelectorAll("[data-tabs] > ul")) {
  const open = tabs.querySelector("[aria-current]")?.closest("li");
  if (open) tabs.scrollLeft = open.offsetLeft - (tabs.clientWidth - open.offsetWidth) / 2;
}
