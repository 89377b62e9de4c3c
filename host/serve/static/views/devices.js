// All devices: what each last saw, how well it is heard, and what is wrong.

import { cell, answer, authMark, berBar, mark } from "../parts.js";
import { keyOf, linkOf, signalOf } from "../devices.js";
import { empty, h, outside, replace } from "../dom.js";
import { ago, db, lost, plural, volts } from "../format.js";

const LOW_BATTERY_V = 3.3; // of a lithium cell that is nearly empty
const POOR_BER = 0.1; // where the answers begin to suffer

const COLUMNS = [
  ["Device", (row, devices) => devices.name(row).toLowerCase(), 1],
  ["Area", (row) => (row.area ?? "\uffff").toLowerCase(), 1],
  ["Seen", (row) => row.last_seen, -1],
  ["Class", (row) => classesOf(row)[0] ?? "\uffff", 1],
  ["By", (row) => row.reading?.answered_by ?? "", 1],
  ["BER", (row) => row.reading?.ber ?? -1, -1],
  ["SNR", (row) => signalOf(row).snr_db ?? Infinity, 1],
  ["Battery", (row) => row.status?.battery_v ?? Infinity, 1],
  ["Lost", (row) => row.reading?.lost_total ?? 0, -1],
  ["State", (row) => faults(row).length, -1],
];
const order = { column: "Device", direction: 1 }; // kept while the page is open
let filter = "";
let faultsOnly = false;

export async function open(root, app) {
  const { devices } = app;
  const body = h("tbody", { role: "rowgroup" });
  const summary = h("p", { class: "summary" });
  const content = h("div");
  const rows = new Map();

  const search = h("input", {
    type: "search",
    id: "filter",
    placeholder: "Filter by name, area or class",
    "aria-label": "Filter devices",
    value: filter,
    on: {
      input: () => {
        filter = search.value;
        render();
      },
    },
  });
  const only = h("input", {
    type: "checkbox",
    id: "only",
    checked: faultsOnly,
    on: {
      change: () => {
        faultsOnly = only.checked;
        render();
      },
    },
  });
  const headings = COLUMNS.map(([name, , direction]) =>
    h(
      "th",
      { scope: "col", role: "columnheader" },
      h("button", { type: "button", class: "sort", on: { click: () => sortBy(name, direction) } }, name),
    ),
  );
  const table = h(
    "table",
    { class: "cards devices", role: "table" },
    h("caption", { class: "hidden" }, "Devices; the buttons in the headings sort them"),
    h("thead", { role: "rowgroup", class: "sorts" }, h("tr", { role: "row" }, headings)),
    body,
  );
  const tools = h("div", { class: "tools" }, search, h("label", { class: "check" }, only, "only with faults"));

  function sortBy(name, direction) {
    order.direction = order.column === name ? -order.direction : direction;
    order.column = name;
    render();
  }

  function render() {
    if (!devices.all.length) {
      replace(summary);
      replace(content, noDevices());
      return;
    }
    const [, key] = COLUMNS.find(([name]) => name === order.column);
    const words = filter.toLowerCase();
    const chosen = devices.all.filter(
      (row) => (!faultsOnly || faults(row).length) && textOf(row, devices).includes(words),
    );
    chosen.sort(
      (left, right) =>
        order.direction * compare(key(left, devices), key(right, devices)) || compare(keyOf(left), keyOf(right)),
    );
    for (const [at, heading] of headings.entries()) {
      const current = COLUMNS[at][0] === order.column;
      heading.setAttribute("aria-sort", current ? (order.direction > 0 ? "ascending" : "descending") : "none");
    }
    place(body, chosen, rows, devices);
    replace(summary, summaryOf(devices.all));
    if (!table.isConnected) replace(content, tools, h("div", { class: "scroll" }, table, nothing));
    nothing.hidden = chosen.length > 0;
  }

  const nothing = h("p", { class: "none pad" }, "No device is like this.");
  replace(root, h("div", { class: "head" }, h("h1", {}, "Devices"), summary), content);
  render();
  return {
    title: "Devices",
    onBatch(batch) {
      for (const [kind, record] of batch) if (kind !== "label" && record.device != null) rows.delete(keyOf(record));
      render();
    },
    onMissed() {
      rows.clear();
      render();
    },
  };
}

/** Puts the rows in order; those that are as before stay, and so does the focus in them. */
function place(body, chosen, rows, devices) {
  const focused = document.activeElement?.closest?.("tr")?.dataset.key;
  const elements = chosen.map((row) => {
    const key = keyOf(row);
    if (!rows.has(key)) rows.set(key, deviceRow(row, devices));
    return rows.get(key);
  });
  if (elements.length !== body.children.length || elements.some((element, at) => body.children[at] !== element)) {
    body.replaceChildren(...elements);
    if (focused)
      elements
        .find((element) => element.dataset.key === focused)
        ?.querySelector("a")
        .focus({ preventScroll: true });
  }
}

function deviceRow(row, devices) {
  const { reading, status } = row;
  const states = stateMarks(row);
  const number = row.name ? h("span", { class: "number" }, `#${row.device}`) : null;
  return h(
    "tr",
    { role: "row", "data-key": keyOf(row), class: row.silent_since ? "silent" : null },
    cell(
      "Device",
      h("a", { href: linkOf(row) }, outside(devices.name(row))),
      number,
      devices.severalSites ? outside(row.site, { class: "site" }) : null,
    ),
    cell("Area", row.area ? outside(row.area) : null),
    cell("Seen", ago(row.last_seen)),
    cell("Class", reading ? answer(reading) : h("span", { class: "none" }, "no image yet")),
    cell("By", reading?.answered_by),
    cell("BER", berBar(reading?.ber)),
    cell("SNR", db(signalOf(row).snr_db)),
    cell("Battery", h("span", { class: isLow(row) ? "bad-text" : null }, volts(status?.battery_v))),
    cell("Lost", reading ? lost(reading.lost_total, reading.lost_total_certainty) : "–"),
    cell("State", states.length ? h("span", { class: "marks" }, states) : null),
  );
}

function stateMarks(row) {
  return [...faults(row).map(([text, tone, title]) => mark(text, tone, title)), authMark(row.reading?.auth)].filter(
    Boolean,
  );
}

/** What is wrong with a device: a word, its tone, and what it means. */
function faults(row) {
  return [
    row.silent_since && ["silent", "bad", "Nothing was heard of it for longer than its usual pauses explain"],
    row.clash && ["clash", "bad", "Two boards sent with this device number within a day"],
    isLow(row) && ["battery low", "warn", `Below ${volts(LOW_BATTERY_V)}`],
    (row.reading?.ber ?? 0) >= POOR_BER && ["poor link", "warn", "One bit in ten is wrong, or more"],
  ].filter(Boolean);
}

const isLow = ({ status }) => status?.battery_v != null && status.battery_v < LOW_BATTERY_V;

function classesOf({ reading }) {
  if (!reading) return [];
  return [reading.label, ...Object.values(reading.tasks).map((one) => one.label)].filter((label) => label != null);
}

function summaryOf(all) {
  const counts = new Map();
  for (const [fault] of all.flatMap(faults)) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const parts = [plural(all.length, "device"), ...[...counts].map(([fault, number]) => `${number} ${fault}`)];
  return parts.join(" · ");
}

function textOf(row, devices) {
  return [devices.name(row), row.device, row.area, row.site, ...classesOf(row)].join(" ").toLowerCase();
}

function compare(left, right) {
  return typeof left === "string" ? left.localeCompare(right, undefined, { numeric: true }) : left - right;
}

function noDevices() {
  return empty(
    "No device heard yet.",
    h(
      "ul",
      {},
      h(
        "li",
        {},
        "A board that runs Inkling's firmware appears here with its first image. ",
        h("code", {}, "inkling flash"),
        " puts it on a board.",
      ),
      h(
        "li",
        {},
        "The board and this host need the same bundle. ",
        h("code", {}, "inkling devices"),
        " lists the boards on this machine and their models.",
      ),
      h("li", {}, "Ports and gateways that do not work are listed under ", h("a", { href: "#/events" }, "Events"), "."),
    ),
  );
}
