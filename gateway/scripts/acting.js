// The time in which staff may act as a customer runs down, and ends where one looks.
const left = document.querySelector("[data-seconds-left]");

if (left) {
  const until = Date.now() + Number(left.dataset.secondsLeft) * 1000;
  const tick = setInterval(() => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds > 0) return;
    clearInterval(tick);
    location.assign("/acting/expired");
  }, 1000);
}
