// Charts of a device's history, as SVG: readings by class, and lines of BER, SNR, battery and losses below them.

import { h, outside, printable, s } from "./dom.js";
import { ber, count, db, percent, plural, short, tick, volts } from "./format.js";

const LEFT = 52;
const RIGHT = 10;
const BARS = 132;
const LINE = 64;
const GAP = 26;
const COLOURS = 7;
const BRIDGED = 4; // empty buckets that a line goes across
const OTHER = "other classes";
const NONE = "none of these";

/**
 * Chart, legend, a line that follows the pointer, and the figures as a table.
 * task: whose classes are shown; null: those of the bundle.
 */
export function chart(history, task, width) {
  const buckets = history.map((one) => ({ ...one, labels: labelsOf(one, task) }));
  const [since, until] = [buckets[0].start, buckets.at(-1).end];
  const names = classNames(buckets);
  const colours = new Map(names.map((name, at) => [name, name === OTHER ? "other" : `k${at}`]));
  const stacks = buckets.map((bucket) => stackOf(bucket, names));
  const panels = [
    { name: "BER", values: buckets.map((one) => one.ber), text: ber, log: true },
    { name: "SNR", values: buckets.map((one) => one.snr_db), text: db },
    { name: "Battery", values: buckets.map((one) => one.battery_v), text: volts },
    { name: "Lost", values: buckets.map((one) => one.lost || null), text: count, bars: true },
  ].filter(({ values }) => values.some((value) => value != null));
  const height = BARS + GAP + panels.length * (LINE + GAP);
  const x = (at) => LEFT + ((width - LEFT - RIGHT) * at) / buckets.length;
  const end = x(buckets.length);
  const readout = h("p", { class: "readout" }, describe(buckets));
  const cursor = s("line", { class: "cursor", y1: 0, y2: height - GAP, visibility: "hidden" });
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": `Chart. ${describe(buckets)}. The table below has its figures.`,
    },
    barPanel(stacks, names, colours, x, end),
    panels.map((panel, at) => linePanel(panel, BARS + GAP + at * (LINE + GAP), x, end)),
    ticks(since, until, x, buckets.length, height - 8),
    cursor,
  );
  svg.addEventListener("pointermove", (event) => {
    const at = Math.floor(((event.offsetX - LEFT) / (width - LEFT - RIGHT)) * buckets.length);
    if (!buckets[at]) return;
    cursor.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(at + 0.5));
    readout.textContent = readoutOf(buckets[at]);
  });
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    readout.textContent = describe(buckets);
  });
  return h("div", { class: "chart" }, legend(names, colours, stacks), svg, readout, figures(buckets));
}

/** Readings by class; those that are none of a task's classes have a name, too. */
function labelsOf({ classes }, task) {
  return Object.fromEntries(
    classes.filter((one) => one.task === task).map(({ label, count: number }) => [label ?? NONE, number]),
  );
}

function classNames(buckets) {
  const totals = new Map();
  for (const { labels } of buckets)
    for (const [name, number] of Object.entries(labels)) totals.set(name, (totals.get(name) ?? 0) + number);
  const names = [...totals]
    .sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1))
    .map(([name]) => name);
  return names.length > COLOURS ? [...names.slice(0, COLOURS), OTHER] : names;
}

function stackOf({ labels }, names) {
  const known = names.map((name) => labels[name] ?? 0);
  if (names.at(-1) === OTHER) {
    known[known.length - 1] =
      Object.values(labels).reduce((sum, number) => sum + number, 0) -
      known.slice(0, -1).reduce((sum, number) => sum + number, 0);
  }
  return known;
}

function barPanel(stacks, names, colours, x, end) {
  const top = niceAbove(Math.max(1, ...stacks.map((stack) => stack.reduce((sum, number) => sum + number, 0))));
  const y = (value) => BARS - ((BARS - 16) * value) / top;
  const group = s(
    "g",
    {},
    s("text", { class: "panel", x: LEFT, y: 10 }, "Readings by class"),
    axis(y, [0, top / 2, top].filter(Number.isInteger), count, end),
  );
  for (const [at, stack] of stacks.entries()) {
    let base = 0;
    for (const [which, number] of stack.entries()) {
      if (!number) continue;
      const gap = x(1) - x(0) > 5 ? 1 : 0;
      group.append(
        s("rect", {
          class: `bar ${colours.get(names[which])}`,
          x: x(at) + gap / 2,
          width: x(at + 1) - x(at) - gap,
          y: y(base + number),
          height: y(base) - y(base + number),
        }),
      );
      base += number;
    }
  }
  return group;
}

function linePanel({ name, values, text, log, bars }, top, x, end) {
  const given = values.filter((value) => value != null);
  const place = log ? (value) => Math.log10(Math.max(value, 1e-6)) : (value) => value;
  let [low, high] = [Math.min(...given), Math.max(...given)];
  if (bars) [low, high] = [0, niceAbove(Math.max(1, high))];
  else if (log) [low, high] = [10 ** Math.floor(place(low)), 10 ** Math.ceil(place(high) + 1e-9)];
  else [low, high] = [low - Math.max(0.05, (high - low) * 0.1), high + Math.max(0.05, (high - low) * 0.1)];
  const range = place(high) - place(low) || 1;
  const y = (value) => top + LINE - ((LINE - 14) * (place(value) - place(low))) / range;
  const group = s(
    "g",
    {},
    s("text", { class: "panel", x: LEFT, y: top + 8 }, name),
    axis(y, [low, high], log ? (value) => value.toExponential(0) : text, end),
  );
  if (bars) {
    for (const [at, value] of values.entries()) {
      if (value)
        group.append(
          s("rect", {
            class: "bar loss",
            x: x(at) + 0.5,
            width: Math.max(1, x(at + 1) - x(at) - 1),
            y: y(value),
            height: y(0) - y(value),
          }),
        );
    }
    return group;
  }
  for (const run of runsOf(values)) {
    const points = run.map(([at, value]) => `${x(at + 0.5).toFixed(1)},${y(value).toFixed(1)}`);
    group.append(
      run.length > 1
        ? s("polyline", { class: "line", points: points.join(" ") })
        : s("circle", { class: "dot", r: 2, cx: x(run[0][0] + 0.5), cy: y(run[0][1]) }),
    );
  }
  return group;
}

/** Runs of buckets that have a value: a line across a long gap would claim what nobody measured. */
function runsOf(values) {
  const runs = [];
  let last = -Infinity;
  for (const [at, value] of values.entries()) {
    if (value == null) continue;
    if (at - last > BRIDGED + 1) runs.push([]);
    runs.at(-1).push([at, value]);
    last = at;
  }
  return runs;
}

function axis(y, values, text, end) {
  return values.map((value) =>
    s(
      "g",
      {},
      s("line", { class: "grid", x1: LEFT, x2: end, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" }, text(value)),
    ),
  );
}

function ticks(since, until, x, number, y) {
  const shown = x(number) < 500 ? 3 : 6;
  return Array.from({ length: shown + 1 }, (_, at) => {
    const anchor = at === 0 ? "start" : at === shown ? "end" : "middle";
    return s(
      "text",
      { class: "tick", x: x((number * at) / shown), y, "text-anchor": anchor },
      tick(since + ((until - since) * at) / shown, until - since),
    );
  });
}

function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

function legend(names, colours, stacks) {
  const totals = names.map((_, at) => stacks.reduce((sum, stack) => sum + stack[at], 0));
  return h(
    "ul",
    { class: "legend", "aria-label": "Classes" },
    names.map((name, at) =>
      h(
        "li",
        {},
        h("span", { class: `swatch ${colours.get(name)}`, "aria-hidden": "true" }),
        outside(name),
        h("span", { class: "figure" }, count(totals[at])),
      ),
    ),
  );
}

function describe(buckets) {
  const readings = buckets.reduce((sum, one) => sum + one.readings, 0);
  const missing = buckets.reduce((sum, one) => sum + one.lost, 0);
  return `${plural(readings, "reading")}, ${count(missing)} lost`;
}

function readoutOf(bucket) {
  const classes = Object.entries(bucket.labels)
    .sort((left, right) => right[1] - left[1])
    .map(([name, number]) => `${number} ${printable(name)}`);
  const parts = [classes.join(", ") || "nothing received"];
  if (bucket.ber != null) parts.push(`BER ${ber(bucket.ber)}`);
  if (bucket.snr_db != null) parts.push(`SNR ${db(bucket.snr_db)}`);
  if (bucket.battery_v != null) parts.push(volts(bucket.battery_v));
  if (bucket.lost) parts.push(`${bucket.lost} lost`);
  return `${short(bucket.start)} to ${short(bucket.end)}: ${parts.join(" · ")}`;
}

function figures(buckets) {
  const rows = buckets.filter((one) => one.readings || one.lost || one.battery_v != null);
  const headings = ["From", "Readings", "Most frequent class", "BER", "SNR", "Battery", "Lost"];
  return h(
    "details",
    {},
    h("summary", {}, "Figures as a table"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures of the chart" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            headings.map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", {}, rows.map(figureRow)),
      ),
    ),
  );
}

function figureRow(bucket) {
  const [name, number] = Object.entries(bucket.labels).sort((left, right) => right[1] - left[1])[0] ?? [];
  const share = number ? [outside(name), ` (${percent(number / bucket.readings)})`] : "–";
  const texts = [
    short(bucket.start),
    count(bucket.readings),
    share,
    ber(bucket.ber),
    db(bucket.snr_db),
    volts(bucket.battery_v),
    count(bucket.lost),
  ];
  return h(
    "tr",
    {},
    texts.map((text) => h("td", {}, text)),
  );
}
