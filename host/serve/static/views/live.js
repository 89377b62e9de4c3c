// The live feed: readings, status frames and events as they come, newest first.

import { get } from "../api.js";
import { empty, h, outside, replace } from "../dom.js";
import { duration, moment, plural, volts } from "../format.js";
import { cell, deviceLink, mark, putReading, readingRow, readingTable, relabel } from "../parts.js";

const SHOWN = 150;
const FIRST = 40;

export async function open(root, app) {
  const { devices } = app;
  const { table, body } = readingTable("Readings, status frames and events, newest first", true);
  const waiting = [];
  let paused = false;

  const pause = h("button", { type: "button", "aria-pressed": "false", on: { click: () => toggle() } }, "Pause");
  const note = h("span", { class: "summary" });
  const hint = empty("Nothing received yet.", h("p", {}, "Each image that a board sends appears here at once."));
  replace(
    root,
    h("div", { class: "head" }, h("h1", {}, "Live"), pause, note),
    h("div", { class: "scroll" }, table, hint),
  );

  function toggle() {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Continue" : "Pause";
    if (!paused) for (const one of waiting.splice(0)) add(one);
    tell();
  }

  function add([kind, record]) {
    if (kind === "forgotten") return; // its records stay
    if (kind === "label") relabel(body, record, devices, true);
    else if (kind === "reading") putReading(body, record, devices, true);
    else body.prepend(otherRow(kind, record, devices));
    while (body.children.length > SHOWN) body.lastChild.remove();
  }

  function tell() {
    hint.hidden = body.children.length > 0;
    table.hidden = !hint.hidden;
    note.textContent = paused && waiting.length ? `${plural(waiting.length, "newer record")} waiting` : "";
    app.list = [...body.children].filter((row) => row.reading).map((row) => row.dataset.id);
  }

  async function load() {
    const { readings } = await get("/api/readings", { limit: FIRST });
    replace(
      body,
      readings.map((reading) => readingRow(reading, devices, true)),
    );
    tell();
  }

  await load();
  return {
    title: "Live",
    onBatch(batch) {
      for (const one of batch) {
        if (paused) waiting.push(one);
        else add(one);
      }
      waiting.splice(0, waiting.length - SHOWN);
      tell();
    },
    onMissed: () => (paused ? null : load()),
  };
}

function otherRow(kind, record, devices) {
  const who = record.device == null || record.gateway ? outside(record.site) : deviceLink(record, devices);
  const text =
    kind === "event"
      ? [mark(record.event, "warn"), outside(record.text)]
      : [mark("status"), outside(statusText(record))];
  return h(
    "tr",
    { role: "row", "data-id": record.id, class: `${kind} new` },
    cell("Time", h("span", { class: "time" }, moment(record.time))),
    cell("Device", who),
    h("td", { role: "cell", colspan: 5, class: "c-text" }, text),
  );
}

/** A status frame in words. */
function statusText(status) {
  return [
    `up ${duration(status.uptime_s)}`,
    status.battery_v == null ? null : volts(status.battery_v),
    `mode ${status.mode}`,
    `last reset: ${status.reset_cause}`,
    status.air_left_s == null ? null : `${status.air_left_s.toFixed(1)} s of air time left`,
  ]
    .filter(Boolean)
    .join(", ");
}
