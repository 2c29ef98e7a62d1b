const known = document.body.dataset.newest;
const note = document.querySelector(".note");

async function look() {
  if (document.hidden) return;
  const answer = await fetch("/api/messages?limit=1").catch(() => null);
  if (!answer?.ok) return;
  const [newest] = await answer.json();
  if (!newest || newest.id === known) return;
  if (location.pathname === "/" && !location.search) location.reload();
  else note.hidden = false;
}

setInterval(look, 2000);
