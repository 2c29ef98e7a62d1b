// Shows a password while it is typed, and hides it again before it is sent, so that browsers offer to remember it.
document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-reveal]");
  if (!button) return;
  const field = document.getElementById(button.dataset.reveal);
  const reveals = field.type === "password";
  field.type = reveals ? "text" : "password";
  button.setAttribute("aria-pressed", String(reveals));
});

document.addEventListener("submit", ({ target }) => {
  for (const button of target.querySelectorAll('[data-reveal][aria-pressed="true"]')) {
    document.getElementById(button.dataset.reveal).type = "password";
  }
});
