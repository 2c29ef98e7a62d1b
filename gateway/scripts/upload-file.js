// One file on its way: its line in the list, its bar, and what the server says of it.
import { announce, read, swap } from "./swap.js";

export function send(field, file) {
  const words = JSON.parse(field.dataset.words);
  const [line, state, bar] = row(field, file, words.sending);
  const input = field.querySelector("input[type=file]");
  const data = new FormData();
  for (const each of input.form.querySelectorAll("input[type=hidden]")) data.append(each.name, each.value);
  // The same id when it is tried again: the file is there once.
  data.append("upload_id", crypto.randomUUID?.() ?? String(Math.random()).slice(2).padEnd(16, "0"));
  data.append(input.name, file);
  const fail = (sentence, again) => {
    line.classList.add("file-failed");
    state.textContent = sentence.replace(`${file.name}: `, "");
    bar.remove();
    announce(`${file.name}: ${state.textContent}`);
    if (again) line.append(button(words.again, again));
  };
  if (file.size > Number(field.dataset.largest || Infinity)) return fail(words.large);
  const attempt = () => transfer(field.dataset.upload, data, bar).then((answer) => arrived(field, answer), () => words.failed);
  const conclude = (mistake) => {
    if (mistake) return fail(mistake, mistake === words.failed && again);
    line.remove();
    announce(`${words.ready}: ${file.name}`);
  };
  const again = () => {
    line.classList.remove("file-failed");
    line.querySelector("button").replaceWith(bar);
    state.textContent = words.sending;
    return attempt().then(conclude);
  };
  return attempt().then(conclude);
}

function transfer(address, data, bar) {
  return new Promise((done, broken) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.upload.onprogress = ({ loaded, total }) => (bar.value = loaded / total);
    request.onerror = broken;
    request.onload = () => (request.status < 500 ? done(request) : broken());
    request.send(data);
  });
}

/** Takes the list of the answered page over; returns what was wrong with the file, if anything was. */
async function arrived(field, request) {
  const page = await read(new Response(request.response, { headers: { "Content-Type": "text/html" } }));
  const mistake = page?.getElementById(field.id)?.querySelector(".mistake > span")?.lastChild.textContent.trim();
  if (mistake || request.status >= 400) return mistake || JSON.parse(field.dataset.words).failed;
  const others = field.querySelectorAll("[data-own]");
  swap(field.querySelector(".files-shown").id, page);
  field.querySelector(".files-shown").append(...others);
  return null;
}

function button(text, press) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.className = "button button-quiet button-small";
  made.addEventListener("click", press);
  return made;
}

function row(field, file, sending) {
  const line = document.createElement("li");
  line.className = "file";
  line.dataset.own = ""; // not of the server's list
  line.innerHTML = '<span class="file-words"><span class="file-name"></span><span class="file-state"></span></span><progress max="1" value="0"></progress>';
  line.querySelector(".file-name").textContent = file.name;
  line.querySelector(".file-state").textContent = sending;
  line.querySelector("progress").ariaLabel = `${sending} ${file.name}`;
  field.querySelector(".files-shown").append(line);
  return [line, line.querySelector(".file-state"), line.querySelector("progress")];
}
