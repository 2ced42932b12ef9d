// Keeps the page of a run as it is now: parts come as server-sent events, seconds are counted here.

import { parse } from "./html.js";

const live = document.getElementById("live");
const old = document.getElementById("old");

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function count() {
  const now = Date.now() / 1000;
  for (const part of live.querySelectorAll("[data-since]")) {
    const seconds = now - Number(part.dataset.since);
    if (part.tagName === "PROGRESS") part.value = Math.max(0, seconds);
    else part.textContent = duration(seconds);
  }
  for (const part of live.querySelectorAll("[data-until]")) part.textContent = duration(Number(part.dataset.until) - now);
}

function replace(name, html) {
  const part = live.querySelector(`[data-part="${name}"]`);
  if (!part) return;
  const open = [...part.querySelectorAll("details")].map((one) => one.open);
  const parsed = parse(html);
  part.replaceChildren(...parsed.childNodes);
  part.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? false; });
}

let source = null;
function follow() {
  if (source || document.hidden) return;
  source = new EventSource(`/runs/${encodeURIComponent(live.dataset.run)}/events`);
  source.addEventListener("open", () => { old.hidden = true; });
  source.addEventListener("error", () => { old.hidden = false; });
  source.addEventListener("message", (event) => {
    const { state, ...parts } = JSON.parse(event.data);
    if (state !== undefined && state !== live.dataset.state) {
      source.close();
      location.reload();
      return;
    }
    for (const [name, html] of Object.entries(parts)) replace(name, html);
    count();
  });
}

// A browser opens few connections to a server at once: a page that nobody sees needs none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden && source) {
    source.close();
    source = null;
  } else if ("works" in live.dataset) follow();
});
addEventListener("pagehide", () => source?.close());

if ("works" in live.dataset) {
  follow();
  setInterval(count, 1000);
}
