// Keeps the page current: asks for the verdict every two seconds and, when it has changed, fetches this
// same address again and puts its live parts in place. Without JavaScript the page is complete; reload it.
"use strict";

const EVERY_MS = 2000;
const status = document.getElementById("live");
let last = null;

function busy(part) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return selecting || part.querySelector("details[open] pre:hover") !== null;
}

function keepFocus(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const href = focused && focused.getAttribute("href");
  const open = [...part.querySelectorAll("details")].map((details) => details.open);
  part.replaceChildren(...fresh.childNodes);
  part.className = fresh.className;
  [...part.querySelectorAll("details")].forEach((details, index) => {
    if (index in open) details.open = open[index];
  });
  if (focused === part) return;
  const again = href && [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
  if (again) again.focus({ preventScroll: true });
}

async function redraw() {
  const response = await fetch(location.pathname + location.search, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const replacement = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (replacement && !busy(part)) keepFocus(part, replacement);
  }
  document.title = fresh.title;
}

function say(words) {
  // A status that does not change is not announced again.
  if (status.textContent !== words) status.textContent = words;
}

async function tick() {
  if (document.hidden) return;
  try {
    const verdict = await (await fetch("/api/v1/verdict", { cache: "no-store" })).text();
    if (last !== null && verdict !== last) await redraw();
    last = verdict;
    say("live");
  } catch {
    say("the monitor does not answer; numbers are as of the last reading");
  }
}

async function run() {
  await tick();
  setTimeout(run, EVERY_MS);
}

run();
