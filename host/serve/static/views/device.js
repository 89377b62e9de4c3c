// One device: its state, its history as a chart, and its readings.

import { change, get } from "../api.js";
import { chart } from "../chart.js";
import { announce, empty, h, outside, replace } from "../dom.js";
import { ago, db, dbm, duration, lost, now, plural, volts } from "../format.js";
import { signalOf } from "../devices.js";
import {
  answer,
  authMark,
  berBar,
  confirmed,
  mark,
  putReading,
  question,
  readingRow,
  readingTable,
  relabel,
} from "../parts.js";

const RANGES = { hour: [3600, 60], day: [86_400, 96], week: [604_800, 84], month: [2_592_000, 90] };
const PAGE = 30;
const RELOAD_MS = 5000; // a chart of a device that sends every second need not change as often
let range = "day"; // kept while the page is open

export async function open(root, app, [site, number]) {
  const { devices } = app;
  const device = Number(number);
  const own = (record) => record.site === site && record.device === device;
  const path = `/api/devices/${encodeURIComponent(site)}/${device}`;
  const state = h("dl", { class: "facts" });
  const charts = h("div", { class: "panel-box" });
  const { table, body } = readingTable("Readings of this device, newest first", false);
  const more = h("button", { type: "button", on: { click: () => loadReadings(next) } }, "Show older readings");
  const hint = empty(
    "No reading is kept.",
    h("p", {}, "The device has sent no image yet, or its readings are older than the host keeps them."),
  );
  let next = null;
  let history = null;
  let task = null; // whose classes the chart shows; null: those of the bundle
  let timer = null;

  const buttons = Object.keys(RANGES).map((name) =>
    h("button", { type: "button", "aria-pressed": String(name === range), on: { click: () => choose(name) } }, name),
  );

  async function choose(name) {
    range = name;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
    await loadHistory();
  }

  async function loadHistory() {
    const [span, number] = RANGES[range];
    const size = span / number;
    const until = Math.ceil(now() / size) * size; // the buckets do not move with every reading
    history = await get(`${path}/history`, { since: until - span, until, buckets: number });
    draw();
  }

  function draw() {
    if (!history) return;
    const open = charts.querySelector("details")?.open;
    const { buckets } = history;
    const some = buckets.some((one) => one.readings || one.lost || one.battery_v != null);
    const tasks = [...new Set(buckets.flatMap((one) => one.classes.map((found) => found.task)))].sort();
    if (!tasks.includes(task)) task = tasks[0] ?? null;
    const width = Math.max(260, charts.clientWidth - 34 || 1000);
    replace(
      charts,
      tasks.length > 1 ? taskChoice(tasks) : null,
      some ? chart(buckets, task, width) : h("p", { class: "none" }, `Nothing was received in the last ${range}.`),
    );
    if (open) charts.querySelector("details")?.setAttribute("open", "");
  }

  function taskChoice(tasks) {
    const select = h(
      "select",
      {
        id: "classes",
        on: {
          change: () => {
            task = tasks[select.selectedIndex];
            draw();
          },
        },
      },
      tasks.map((one) => h("option", { selected: one === task }, one == null ? "the bundle" : `task ${one}`)),
    );
    return h("p", { class: "row" }, h("label", { for: "classes" }, "Classes of"), select);
  }

  async function loadReadings(before) {
    const page = await get("/api/readings", { site, device, limit: PAGE, before });
    const rows = page.readings.map((reading) => readingRow(reading, devices, false));
    if (before) body.append(...rows);
    else replace(body, rows);
    next = page.next;
    tell();
  }

  function tell() {
    more.hidden = !next;
    hint.hidden = body.children.length > 0;
    table.hidden = !hint.hidden;
    app.list = [...body.children].map((row) => row.dataset.id);
  }

  function renderState() {
    const row = devices.find(site, device);
    forgetting.hidden = !row;
    replace(state, row ? facts(row) : null);
  }

  async function forget() {
    if (!(await confirmed(ask))) return;
    try {
      await change("DELETE", path);
    } catch (error) {
      replace(trouble, `Not forgotten: ${error.message}.`);
      return;
    }
    devices.apply("forgotten", { site, device });
    announce(`${name} is forgotten`);
    location.hash = "#/devices";
  }

  const ask = question(
    "Forget this device?",
    "It disappears from the list and from Home Assistant until it is heard again. Its readings and labels stay.",
    "Forget",
  );
  const trouble = h("p", { class: "error", role: "alert" });
  const forgetting = h(
    "div",
    { class: "row" },
    h("button", { type: "button", on: { click: () => forget() } }, "Forget this device"),
    trouble,
  );
  const row = devices.find(site, device);
  const name = devices.name({ site, device });
  const place = [row?.area, row?.name ? `device ${device}` : null, `site ${site}`].filter(Boolean).join(" · ");
  await Promise.all([loadReadings(), loadHistory()]);
  replace(
    root,
    h("p", { class: "crumb" }, h("a", { href: "#/devices" }, "Devices")),
    h("div", { class: "head" }, h("h1", {}, outside(name)), h("p", { class: "summary" }, outside(place))),
    state,
    h(
      "div",
      { class: "head" },
      h("h2", {}, "History"),
      h("div", { class: "choice", role: "group", "aria-label": "Span of time" }, buttons),
    ),
    charts,
    h("div", { class: "head" }, h("h2", {}, "Readings"), exportLink(site, device)),
    h("div", { class: "scroll" }, table, hint),
    more,
    forgetting,
    ask,
  );
  renderState();
  const observer = new ResizeObserver(() => draw());
  observer.observe(charts);
  return {
    title: name,
    onBatch(batch) {
      for (const [kind, values] of batch) if (kind === "label") relabel(body, values, devices, false);
      const fresh = batch.filter(([, record]) => own(record));
      if (!fresh.length) return;
      for (const [kind, record] of fresh) if (kind === "reading") putReading(body, record, devices, false);
      tell();
      renderState();
      timer ??= setTimeout(() => {
        timer = null;
        loadHistory().catch(() => {});
      }, RELOAD_MS);
    },
    async onMissed() {
      renderState();
      await Promise.all([loadReadings(), loadHistory()]);
    },
    close() {
      observer.disconnect();
      clearTimeout(timer);
    },
  };
}

function lostOf({ lost_total: total, lost_total_certainty: certainty }, readings) {
  return `${lost(total, certainty)} of ${plural(readings + total, "image")}`;
}

function facts(row) {
  const { reading, status } = row;
  const signal = signalOf(row);
  const states = [
    row.silent_since ? mark("silent", "bad") : null,
    row.clash ? mark("clash", "bad", "Two boards sent with this device number within a day") : null,
    authMark(reading?.auth),
  ].filter(Boolean);
  return [
    ["Last seen", ago(row.last_seen)],
    ["Class", reading ? answer(reading) : "–"],
    ["Answered by", reading?.answered_by ?? "–"],
    ["BER", berBar(reading?.ber)],
    ["SNR", db(signal.snr_db)],
    ["RSSI", dbm(signal.rssi_dbm)],
    ["Lost", reading ? lostOf(reading, row.readings) : "–"],
    ["Bundle", reading ? outside(reading.bundle) : "–"],
    ["Battery", volts(status?.battery_v)],
    status ? ["Up for", duration(status.uptime_s)] : null,
    status ? ["Last reset", outside(status.reset_cause)] : null,
    status
      ? ["Mode", [outside(status.mode), status.mode === "adaptive" ? `, threshold ${status.threshold}` : ""]]
      : null,
    status?.air_left_s != null ? ["Air time left", `${status.air_left_s.toFixed(1)} s`] : null,
    states.length ? ["State", h("span", { class: "marks" }, states)] : null,
  ]
    .filter(Boolean)
    .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
}

function exportLink(site, device) {
  const query = new URLSearchParams({ site, device });
  return h("a", { class: "quiet", href: `/api/export/readings.csv?${query}`, download: "" }, "Download as CSV");
}
