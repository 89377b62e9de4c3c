// Events, and the inputs of the host: its ports and gateways.

import { get } from "../api.js";
import { empty, h, outside, replace } from "../dom.js";
import { ago, moment } from "../format.js";
import { cell, deviceLink, mark } from "../parts.js";

const PAGE = 50;
const GOOD = new Set(["back", "port-back"]);

export async function open(root, app) {
  const { devices } = app;
  const body = h("tbody", { role: "rowgroup" });
  const table = h(
    "table",
    { class: "cards events", role: "table" },
    h("caption", { class: "hidden" }, "Events, newest first"),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        ["Time", "From", "Event", "Text"].map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
      ),
    ),
    body,
  );
  const hint = empty(
    "No event yet.",
    h("p", {}, "Devices that fall silent, ports that are lost and frames that are refused are listed here."),
  );
  const more = h("button", { type: "button", on: { click: () => load(next) } }, "Show older events");
  const inputs = h("section", { "aria-labelledby": "inputs" });
  let next = null;

  async function load(before) {
    const page = await get("/api/events", { limit: PAGE, before });
    const rows = page.events.map((event) => eventRow(event, devices));
    if (before) body.append(...rows);
    else replace(body, rows);
    next = page.next;
    tell();
  }

  function tell() {
    more.hidden = !next;
    hint.hidden = body.children.length > 0;
    table.hidden = !hint.hidden;
  }

  async function loadInputs() {
    const { inputs: found = [] } = await get("/health");
    const gateways = devices.gateways.map(gatewayItem);
    replace(
      inputs,
      h("h2", { id: "inputs" }, "Inputs"),
      found.length + gateways.length
        ? h(
            "ul",
            { class: "inputs" },
            found.map(({ name, state, text }) =>
              h(
                "li",
                {},
                mark(state, state === "lost" ? "bad" : state === "open" ? "good" : ""),
                outside(name, { class: "class" }),
                outside(text, { class: "none" }),
              ),
            ),
            gateways,
          )
        : h("p", { class: "none" }, "This host has no port and no gateway: give it one with --port, or a broker."),
    );
  }

  await Promise.all([load(), loadInputs()]);
  const timer = setInterval(() => loadInputs().catch(() => {}), 15_000);
  replace(
    root,
    h("div", { class: "head" }, h("h1", {}, "Events")),
    inputs,
    h("h2", {}, "History"),
    h("div", { class: "scroll" }, table, hint),
    more,
  );
  return {
    title: "Events",
    onBatch(batch) {
      const fresh = batch.filter(([kind]) => kind === "event").map(([, event]) => event);
      for (const event of fresh) {
        const row = eventRow(event, devices);
        const old = [...body.children].find((element) => element.dataset.id === event.id);
        if (old) old.replaceWith(row);
        else body.prepend(row);
      }
      if (fresh.length) loadInputs().catch(() => {});
      tell();
    },
    onMissed: () => load(),
    close: () => clearInterval(timer),
  };
}

function eventRow(event, devices) {
  const who =
    event.device == null ? outside(event.site) : event.gateway ? devices.name(event) : deviceLink(event, devices);
  return h(
    "tr",
    { role: "row", "data-id": event.id },
    cell("Time", h("span", { class: "time" }, moment(event.time))),
    cell("Device", who),
    cell("Event", mark(event.event, GOOD.has(event.event) ? "good" : "warn")),
    cell("Text", outside(event.text)),
  );
}

function gatewayItem(row) {
  const state = row.silent_since ? mark("silent", "bad") : mark("heard", "good");
  return h(
    "li",
    {},
    state,
    outside(`gateway ${row.device}, site ${row.site}`, { class: "class" }),
    h("span", { class: "none" }, "last status ", ago(row.last_seen)),
  );
}
