// The page: which view is shown, and what the live feed brings to it.

import { change, get } from "./api.js";
import { Devices } from "./devices.js";
import { announce, empty, h, replace } from "./dom.js";
import { renewTimes } from "./format.js";
import { Live } from "./live.js";
import * as device from "./views/device.js";
import * as devicesView from "./views/devices.js";
import * as events from "./views/events.js";
import * as live from "./views/live.js";
import * as reading from "./views/reading.js";
import * as teach from "./views/teach.js";

const VIEWS = { devices: devicesView, live, device, reading, teach, events };
const PARENTS = { device: "devices", reading: "devices" };
const main = document.getElementById("main");
const app = { devices: new Devices(), title: "Inkling", list: [] };
let shown = null; // the view: { title, onBatch, onMissed, close }
let turn = 0; // of navigation: a view that loads slowly must not replace a newer one

async function show(focus = true) {
  const [name, ...parameters] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  const view = VIEWS[name] ?? devicesView;
  const mine = ++turn;
  shown?.close?.();
  shown = null;
  markNavigation(VIEWS[name] ? name : "devices");
  const root = h("div", { class: "view" });
  try {
    const opened = await view.open(root, app, parameters);
    if (mine !== turn) {
      opened.close?.();
      return;
    }
    shown = opened;
    document.title = `${opened.title} - ${app.title}`;
  } catch (error) {
    if (mine !== turn) return;
    document.title = app.title;
    const retry = h("button", { type: "button", on: { click: () => show() } }, "Try again");
    replace(root, h("h1", {}, "This cannot be shown"), empty(`${error.message}.`, retry));
  }
  replace(main, root);
  if (!focus) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function markNavigation(name) {
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.hash === `#/${PARENTS[name] ?? name}`;
    if (current) link.setAttribute("aria-current", name in PARENTS ? "true" : "page");
    else link.removeAttribute("aria-current");
  }
}

const connection = document.getElementById("connection");

function onState(state) {
  if (connection.dataset.state === state) return;
  if (state === "offline") announce("The connection to the host is lost");
  else if (connection.dataset.state === "offline") announce("Connected to the host again");
  connection.dataset.state = state;
  connection.textContent = state;
}

function onBatch(batch) {
  for (const [kind, values] of batch) app.devices.apply(kind, values);
  for (const [kind, { event, text }] of batch) {
    if (kind === "event" && (event === "silent" || event === "clash" || event === "port-lost")) announce(text);
  }
  shown?.onBatch?.(batch);
}

async function onMissed() {
  try {
    await app.devices.load();
    await shown?.onMissed?.();
  } catch {
    // The connection says "offline" soon if this was its end; the next one reads all again.
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("logout").addEventListener("click", async () => {
  await change("POST", "/logout");
  location.assign("/login");
});
addEventListener("hashchange", () => show());
setInterval(renewTimes, 1000);

const about = await get("/api/about");
app.title = about.title;
document.getElementById("title").textContent = about.title;
document.getElementById("logout").hidden = !about.token;
await app.devices.load().catch(() => {});
await show(false);
new Live({ onBatch, onState, onMissed }).start();
