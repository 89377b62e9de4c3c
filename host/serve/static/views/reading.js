// One reading: what was received, how it was combined, what it shows, and the label that a person gives it.

import { change, get, readingPath } from "../api.js";
import { linkOf } from "../devices.js";
import { h, outside, replace } from "../dom.js";
import { ber, db, dbm, full, lost, plural } from "../format.js";
import { heatmap } from "../heatmap.js";
import { answer, authMark, berBar, frameState, mark, previewPath, readingLink } from "../parts.js";

const CHIPS = 8;

export async function open(root, app, [id]) {
  const [reading, { labels }, { bundles }] = await Promise.all([
    get(readingPath(id)),
    get("/api/labels"),
    get("/api/tasks"),
  ]);
  const bundle = bundles.find((one) => one.model_id === reading.model_id);
  const received = h("div", { class: "stack" });
  const heading = h("div", { class: "head" });
  const seen = h("div", { class: "stack" });
  let current = reading;

  function render() {
    replace(heading, h("h1", {}, answer(current)), h("p", { class: "summary" }, `by the ${current.answered_by}`));
    replace(received, factList(current, app.devices), receptions(current), symbolsOf(current, bundle));
    replace(seen, bundle?.preview && current.symbols.length ? preview(current) : null);
  }

  const box = labelBox(reading, labels, bundle);
  render();
  replace(
    root,
    crumbs(reading, app),
    heading,
    h("div", { class: "columns" }, received, h("div", { class: "stack" }, box.element, seen)),
  );
  return {
    title: `${reading.label ?? "reading"}, ${app.devices.name(reading)}`,
    onBatch(batch) {
      for (const [kind, record] of batch) {
        if (record.id !== id) continue;
        if (kind === "label") box.take(record.human_label);
        if (kind !== "reading") continue;
        current = record;
        render();
      }
    },
  };
}

function crumbs(reading, app) {
  const at = app.list.indexOf(reading.id);
  const step = (to, text) => (to ? h("a", { href: readingLink(to) }, text) : null);
  return h(
    "p",
    { class: "crumb" },
    h("a", { href: "#/devices" }, "Devices"),
    h("span", { "aria-hidden": "true" }, "/"),
    h("a", { href: linkOf(reading) }, outside(app.devices.name(reading))),
    h(
      "span",
      { class: "steps" },
      step(at > 0 ? app.list[at - 1] : null, "Newer"),
      step(at >= 0 ? app.list[at + 1] : null, "Older"),
    ),
  );
}

function factList(reading, devices) {
  const facts = [
    ["Time", full(reading.time)],
    ["Device", [h("a", { href: linkOf(reading) }, outside(devices.name(reading))), ", site ", outside(reading.site)]],
    ["Image", `number ${reading.image_number}, sequence ${reading.sequence}`],
    ["Bundle", [outside(reading.bundle), " ", h("code", {}, reading.model_id)]],
    ["Frame", h("span", { class: "marks" }, frameState(reading), authMark(reading.auth) ?? mark("not authenticated"))],
    [
      "Lost before it",
      [
        lost(reading.lost, reading.lost_certainty),
        ` (in all ${lost(reading.lost_total, reading.lost_total_certainty)})`,
      ],
    ],
  ];
  const states = ["duplicate", "late", "unexpected", "unsure"].filter((name) => reading[name]);
  if (states.length)
    facts.push([
      "Notes",
      h(
        "span",
        { class: "marks" },
        states.map((name) => mark(name, "warn")),
      ),
    ]);
  return h(
    "dl",
    { class: "facts wide" },
    facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

function receptions(reading) {
  const first = Math.min(...reading.receptions.map((one) => one.time));
  const headings = ["Gateway", "After", "SNR", "RSSI", "BER", "Frame"];
  return h(
    "section",
    {},
    h("h2", {}, "Received"),
    h("p", { class: "explain" }, combined(reading)),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Receptions" },
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            headings.map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          reading.receptions.map((one) => receptionRow(one, first)),
        ),
      ),
    ),
  );
}

function receptionRow(one, first) {
  const state = one.crc_ok == null ? mark("answer") : one.crc_ok ? mark("clean") : mark("damaged", "warn");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, outside(one.gateway)),
    h("td", {}, `+${Math.round(1000 * (one.time - first))} ms`),
    h("td", {}, db(one.snr_db)),
    h("td", {}, dbm(one.rssi_dbm)),
    h("td", {}, berBar(one.ber)),
    h("td", {}, state),
  );
}

function combined({ receptions, frame, crc_ok: clean, payload_ber: bits }) {
  const gateways = new Set(receptions.map((one) => one.gateway)).size;
  const heard = `${plural(receptions.length, "reception")} by ${plural(gateways, "gateway")}.`;
  if (frame === "answer")
    return receptions.length > 1 ? `${heard} The bits of all of them chose the nearest answer together.` : heard;
  if (clean) return `${heard} One was undamaged, and its symbols were used.`;
  const joined =
    receptions.length > 1
      ? "Each bit was weighted by the bit error rate of its link and summed over all receptions."
      : "Its symbols were used as they are.";
  return `${heard} ${joined} The decoder was given a bit error rate of ${ber(bits)}.`;
}

function symbolsOf(reading, bundle) {
  if (!reading.symbols.length) return null;
  const levels = bundle?.levels ?? Math.max(1, ...reading.symbols) + 1;
  return h("section", {}, h("h2", {}, "Symbols in sending order"), heatmap(reading.symbols, levels));
}

function preview(reading) {
  const missing = reading.symbols.filter((value) => value < 0).length;
  const picture = h("img", {
    class: "preview",
    width: 224,
    height: 224,
    alt: `Preview: what the image may have shown, reconstructed from ${reading.symbols.length - missing} symbols`,
    src: `${previewPath(reading.id)}?${reading.receptions.length}`,
  });
  picture.addEventListener("error", () =>
    picture.replaceWith(h("p", { class: "none" }, "The preview could not be made.")),
  );
  return h(
    "section",
    {},
    h("h2", {}, "Preview"),
    picture,
    h(
      "p",
      { class: "explain" },
      "Reconstructed from the symbols. It is no photograph and may show what was not there.",
    ),
  );
}

function labelBox(reading, rows, bundle) {
  const used = usedLabels(rows, bundle);
  const status = h("p", { class: "explain", role: "status" });
  const input = h("input", {
    id: "label",
    type: "text",
    list: "labels",
    maxlength: 64,
    autocomplete: "off",
    spellcheck: "false",
    value: reading.human_label ?? "",
  });
  const remove = h("button", { type: "button", class: "quiet", on: { click: () => save(null) } }, "Remove label");
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Labels used before" });
  let given = reading.human_label;

  async function save(label) {
    try {
      const path = `${readingPath(reading.id)}/label`;
      const saved = label == null ? await change("DELETE", path) : await change("PUT", path, { label });
      take(saved.human_label);
      status.className = "explain good-text";
      replace(status, given == null ? "Label removed." : ["Saved as ", outside(given), "."]);
    } catch (error) {
      status.className = "error";
      status.textContent = `Not saved: ${error.message}.`;
    }
  }

  /** Shows the label that the reading has now. */
  function take(label) {
    given = label;
    if (label != null && !used.includes(label)) used.unshift(label);
    input.value = given ?? "";
    remove.hidden = given == null;
    replace(
      chips,
      used.slice(0, CHIPS).map((label) =>
        h(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-pressed": String(label === given),
            on: { click: () => save(label) },
          },
          outside(label),
        ),
      ),
    );
  }

  const form = h(
    "form",
    {
      on: {
        submit: (event) => {
          event.preventDefault();
          if (input.value.trim()) save(input.value.trim());
        },
      },
    },
    h("label", { for: "label" }, "What was it?"),
    h("div", { class: "row" }, input, h("button", { type: "submit", class: "primary" }, "Save")),
    h(
      "datalist",
      { id: "labels" },
      used.map((label) => h("option", { value: label })),
    ),
    chips,
    status,
    remove,
  );
  take(given);
  const use = bundle?.general
    ? ["Labelled readings teach the host new classes under ", h("a", { href: "#/teach" }, "Labels"), "."]
    : "Labels are kept with the readings and exported with them.";
  return {
    element: h("section", { class: "box" }, h("h2", {}, "Label"), form, h("p", { class: "explain" }, use)),
    take,
  };
}

/** Labels used before, the most frequent first, then the classes of the bundle. */
function usedLabels(rows, bundle) {
  const counts = new Map();
  for (const { label, count } of rows) counts.set(label, (counts.get(label) ?? 0) + count);
  const used = [...counts].sort((left, right) => right[1] - left[1]).map(([label]) => label);
  return [...new Set([...used, ...(bundle?.classes ?? []), ...Object.values(bundle?.tasks ?? {}).flat()])];
}
