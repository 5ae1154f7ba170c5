"use strict";
// Puts into the page what is new. All of the HTML comes from the sandbox, which escapes what clients send.
const MOST_ROWS = 200;
const live = document.getElementById("live");
const now = document.getElementById("now");
const rows = document.getElementById("requests");
const events = new EventSource("/_sandbox/events?seen=" + document.body.dataset.seen);

events.addEventListener("open", () => {
  live.textContent = "Live: each request appears as it comes.";
});
events.addEventListener("error", () => {
  live.textContent = "The sandbox does not answer. The page tries again.";
});
events.addEventListener("request", ({ data }) => {
  const template = document.createElement("template");
  template.innerHTML = data;
  const row = template.content.firstElementChild;
  const old = document.getElementById(row.id);
  if (old) {
    old.replaceWith(row);
  } else {
    rows.prepend(row);
    document.getElementById("none")?.remove();
  }
  while (rows.childElementCount > MOST_ROWS) rows.lastElementChild.remove();
});
events.addEventListener("now", ({ data }) => {
  // What is replaced loses its focus.
  if (now.innerHTML !== data) now.innerHTML = data;
});
events.addEventListener("reset", () => {
  events.close();
  location.reload();
});
