// The symbols of a reading as a small heat map, in sending order, row by row.

import { h, s } from "./dom.js";
import { count, plural } from "./format.js";

const COLUMNS = 32;
const CELL = 10;

/** The map, with a text that says the same. levels: the number of values of a symbol. */
export function heatmap(symbols, levels) {
  const rows = Math.ceil(symbols.length / COLUMNS);
  const missing = symbols.filter((value) => value < 0).length;
  const svg = s(
    "svg",
    {
      class: "heatmap",
      viewBox: `0 0 ${COLUMNS * CELL} ${rows * CELL}`,
      role: "img",
      "aria-label": describe(symbols, missing, levels),
    },
    symbols.map((value, at) => cell(value, at, levels)),
  );
  const scale = s(
    "svg",
    {
      class: "scale",
      viewBox: `0 0 ${levels * CELL} ${CELL}`,
      width: Math.min(160, levels * CELL),
      height: CELL,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    Array.from({ length: levels }, (_, value) => cell(value, value, levels, levels)),
  );
  return h(
    "figure",
    {},
    svg,
    h(
      "figcaption",
      {},
      h("span", {}, `${count(symbols.length - missing)} of ${count(symbols.length)} received`),
      h("span", { class: "key" }, "0", scale, String(levels - 1)),
      missing
        ? h(
            "span",
            { class: "key" },
            s(
              "svg",
              { viewBox: `0 0 ${CELL} ${CELL}`, width: CELL, height: CELL, "aria-hidden": "true" },
              cell(-1, 0, levels),
            ),
            "not received",
          )
        : null,
    ),
  );
}

function cell(value, at, levels, columns = COLUMNS) {
  const x = (at % columns) * CELL;
  const y = Math.floor(at / columns) * CELL;
  if (value < 0) return s("path", { class: "missing", d: `M${x + 3} ${y + 3}l3.5 3.5m0 -3.5l-3.5 3.5` });
  const share = levels > 1 ? value / (levels - 1) : 1;
  return s("rect", {
    class: "symbol",
    x,
    y,
    width: CELL - 1,
    height: CELL - 1,
    "fill-opacity": (0.08 + 0.92 * share).toFixed(2),
  });
}

function describe(symbols, missing, levels) {
  const text = `Heat map of ${plural(symbols.length, "symbol")} of 0 to ${levels - 1}, in sending order`;
  if (!missing) return `${text}; all were received`;
  const first = symbols.findIndex((value) => value < 0);
  return `${text}; ${missing} were not received, the first at position ${first + 1}`;
}
