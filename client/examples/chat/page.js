"use strict";
// One WebSocket at a time. The worker sends how things are each second; when the socket ends, or is silent, a new one is opened:
// the cookie leads to the session again, on whichever worker answers.

const at = (id) => document.getElementById(id);
const AGAIN_MS = { least: 250, most: 2000 };
const SILENT_MS = 4000;

let socket;
let wait = AGAIN_MS.least;
let watch;

// Only what changed: whoever listens to the page shall not hear the same again.
function show(id, text) {
  if (at(id).textContent !== String(text)) at(id).textContent = text;
}

// What the indicator says, and what the room is told when that begins.
const MODES = {
  connecting: ["Connecting"],
  offline: ["Reconnecting", "The worker is gone. This page looks for it."],
  redis: ["Redis", "All is well: your session is in Redis."],
  memory: ["Local memory", "Redis is away. Your session goes on in this worker's memory, and its guests hear you."],
  unknown: ["Session not known yet", "Redis is away, and this worker does not know your session yet. Messages do not count until it does."],
};

function mode(name) {
  const before = at("mode").dataset.mode;
  if (before === name) return;
  at("mode").dataset.mode = name;
  show("mode", MODES[name][0]);
  // How it begins is no news, if it begins well.
  if (before !== "connecting" || name !== "redis") say("", MODES[name][1], true);
}

function say(from, text, note) {
  const line = document.createElement("li");
  if (note) line.className = "note";
  if (from) {
    const who = document.createElement("b");
    who.textContent = from;
    line.append(who);
  }
  line.append(text);
  at("log").append(line);
  while (at("log").children.length > 200) at("log").firstChild.remove();
  at("log").scrollTop = at("log").scrollHeight;
}

function left(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
}

function state({ session, breaker, waiting, worker }) {
  show("breaker", breaker);
  show("waiting", waiting === 1 ? "1 session" : `${waiting} sessions`);
  show("worker", worker);
  at("send").disabled = false;
  if (!session) {
    mode("unknown");
    return;
  }
  mode(session.served_by === "redis" ? "redis" : "memory");
  show("session", session.session);
  show("name", session.name || "guest");
  show("count", session.message_count);
  show("sequence", session.sequence);
  show("ttl", left(session.remaining_ttl_seconds));
}

function told(event) {
  clearTimeout(watch);
  watch = setTimeout(() => again(), SILENT_MS);
  const message = JSON.parse(event.data);
  if (message.state) state(message.state);
  if (message.said) say(message.said.from, message.said.text);
  if (message.trouble) show("trouble", message.trouble);
}

function again() {
  if (!socket) return;
  clearTimeout(watch);
  socket.onclose = socket.onmessage = null;
  socket.close();
  socket = undefined;
  at("send").disabled = true;
  mode("offline");
  setTimeout(open, wait);
  wait = Math.min(wait * 2, AGAIN_MS.most);
}

function open() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/talk`);
  socket.onopen = () => { wait = AGAIN_MS.least; };
  socket.onmessage = told;
  socket.onclose = again;
  watch = setTimeout(() => again(), SILENT_MS);
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify(message));
    show("trouble", "");
    return true;
  }
  show("trouble", "Not sent: the connection comes back by itself, try again then.");
  return false;
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (send({ say: at("text").value })) at("text").value = "";
});
at("extend").addEventListener("click", () => send("extend"));
open();
