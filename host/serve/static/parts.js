// Parts that several views show: answers, marks, the rows of readings.

import { readingPath } from "./api.js";
import { bestReception, linkOf } from "./devices.js";
import { h, outside } from "./dom.js";
import { ber, db, lost, moment, percent } from "./format.js";

const WORST = Math.log10(0.3);
const BEST = Math.log10(1e-4);

export const readingLink = (id) => `#/reading/${encodeURIComponent(id)}`;
export const previewPath = (id) => `${readingPath(id)}/preview.png`;

/** What host or board say that an image shows: the class, and the answers of the tasks. */
export function answer({ label, confidence, tasks, unsure }) {
  const parts = [];
  if (label != null) {
    parts.push(
      h(
        "span",
        { class: "answer" },
        outside(label, { class: "class" }),
        h("span", { class: "figure" }, percent(confidence)),
      ),
    );
  }
  for (const [task, found] of Object.entries(tasks ?? {})) {
    const none = found.label == null;
    parts.push(
      h(
        "span",
        { class: "answer" },
        h("span", { class: "task" }, outside(task), ":"),
        none ? h("span", { class: "none" }, "none of these") : outside(found.label, { class: "class" }),
        none ? null : h("span", { class: "figure" }, percent(found.confidence)),
      ),
    );
  }
  if (!parts.length) parts.push(h("span", { class: "none" }, "no task yet"));
  if (unsure) parts.push(mark("unsure", "warn", "Another class fits the received bits nearly as well"));
  return h("span", { class: "answers" }, parts);
}

/** A bit error rate with a bar on a logarithmic scale. */
export function berBar(value) {
  if (value == null) return h("span", { class: "none" }, "–");
  const share = Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1e-9)) - BEST) / (WORST - BEST)));
  const bar = h("span", { class: "ber-bar", "aria-hidden": "true" }, h("span"));
  bar.firstChild.style.width = `${Math.round(100 * share)}%`;
  if (value >= 0.05) bar.firstChild.className = value >= 0.1 ? "bad" : "warn";
  return h("span", { class: "ber" }, h("span", { class: "figure" }, ber(value)), bar);
}

/** A short word in a box; its colour only repeats what the word says. */
export function mark(text, tone = "", title = null) {
  return h("span", { class: `mark ${tone}`, title }, text);
}

const AUTH = {
  full: ["authentic", "The frame is authentic, all of it"],
  header: ["sender authentic", "The device sent it; its payload may be damaged"],
};

export function authMark(auth) {
  const [text, title] = AUTH[auth] ?? [];
  return text ? mark(text, "", title) : null;
}

/** Whether the frame of a reading arrived undamaged. */
export function frameState({ frame, crc_ok: clean }) {
  if (frame === "answer") return mark("answer");
  return clean ? mark("clean") : mark("damaged", "warn", "Used in spite of bit errors");
}

export function marks(reading) {
  return h(
    "span",
    { class: "marks" },
    frameState(reading),
    reading.lost ? mark(`${lost(reading.lost, reading.lost_certainty)} lost before`, "warn") : null,
    reading.duplicate ? mark("duplicate") : null,
    reading.late ? mark("late") : null,
    reading.unexpected ? mark("unexpected", "warn", "It continues none of the device's images") : null,
    authMark(reading.auth),
    reading.human_label ? h("span", { class: "mark label" }, "label: ", outside(reading.human_label)) : null,
  );
}

export function deviceLink(record, devices) {
  const link = h("a", { href: linkOf(record) }, outside(devices.name(record)));
  return devices.severalSites ? [link, h("span", { class: "site" }, outside(record.site))] : link;
}

/** A table of readings: columns by name, of which "device" is left out on a device's own page. */
export function readingTable(caption, withDevice) {
  const headings = ["Time", withDevice && "Device", "Class", "By", "BER", "SNR", "Notes"].filter(Boolean);
  const body = h("tbody", { role: "rowgroup" });
  const table = h(
    "table",
    { class: withDevice ? "cards" : "cards own", role: "table" },
    h("caption", { class: "hidden" }, caption),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        headings.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
      ),
    ),
    body,
  );
  return { table, body };
}

/** Puts a reading into a table, newest first, or in place of what was known of its image. */
export function putReading(body, reading, devices, withDevice) {
  const old = rowOf(body, reading.id);
  const human = reading.human_label === undefined ? old?.reading.human_label : reading.human_label;
  const row = readingRow({ ...reading, human_label: human }, devices, withDevice);
  if (old) {
    old.replaceWith(row);
  } else {
    row.classList.add("new");
    body.prepend(row);
  }
}

/** Shows a label that somebody has just given to a reading of a table, or taken away. */
export function relabel(body, { id, human_label: human }, devices, withDevice) {
  const row = rowOf(body, id);
  if (row) putReading(body, { ...row.reading, human_label: human }, devices, withDevice);
}

/** The row of a record. */
export function rowOf(body, id) {
  return [...body.children].find((row) => row.dataset.id === id);
}

export function readingRow(reading, devices, withDevice) {
  const row = h(
    "tr",
    { role: "row", "data-id": reading.id },
    cell("Time", h("a", { href: readingLink(reading.id), class: "time" }, moment(reading.time))),
    withDevice ? cell("Device", deviceLink(reading, devices)) : null,
    cell("Class", answer(reading)),
    cell("By", reading.answered_by),
    cell("BER", berBar(reading.ber)),
    cell("SNR", db(bestReception(reading)?.snr_db)),
    cell("Notes", marks(reading)),
  );
  row.reading = reading;
  return row;
}

/** A cell of a table that becomes a card on a narrow screen, where the heading stands before the content. */
export function cell(heading, ...children) {
  return h("td", { role: "cell", "data-heading": heading, class: `c-${heading.toLowerCase()}` }, children);
}

/** A dialog that asks before something is lost. It is part of the page, and shown by `confirmed`. */
export function question(title, text, verb) {
  return h(
    "dialog",
    { "aria-labelledby": "ask" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask" }, title),
      h("p", {}, text),
      h(
        "div",
        { class: "row" },
        h("button", { value: "no" }, "Cancel"),
        h("button", { value: "yes", class: "primary" }, verb),
      ),
    ),
  );
}

/** Shows a question, and returns whether it was answered with yes. */
export function confirmed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}
