// What was wrong in a form and is right now is no longer called a mistake, neither at its place nor above the form.

/** `wrong` is a .field-wrong, also one that has left the page since. */
export function forgive(wrong) {
  const ids = [wrong, ...wrong.querySelectorAll("[id]")].map(({ id }) => id);
  wrong.classList.remove("field-wrong");
  for (const mistake of wrong.querySelectorAll(".mistake")) mistake.remove();
  for (const field of wrong.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const link of document.querySelectorAll(".errors a")) if (ids.includes(link.hash.slice(1))) link.closest("li").remove();
  for (const all of document.querySelectorAll(".errors > ul")) if (!all.querySelector("li")) all.closest(".errors").remove();
}
