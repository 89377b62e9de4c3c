// How well a task does, on images that it was not taught.

import { h, outside } from "./dom.js";
import { percent, plural } from "./format.js";

const MATRIX_CLASSES = 20;

/** The figures of a task as `inkling teach` gives them. */
export function report(task, figures) {
  const classes = Object.keys(figures.by_class);
  return h(
    "section",
    { class: "box report" },
    h("h2", {}, "Task ", outside(task), " is taught"),
    h(
      "p",
      { class: "big" },
      h("strong", {}, percent(figures.accuracy)),
      " of left-out images are classified correctly ",
      h("span", { class: "none" }, `(95 % interval ${interval(figures)})`),
    ),
    h(
      "p",
      { class: "explain" },
      `${plural(classes.length, "class", "classes")}, ${plural(figures.images, "image")}, each left out in turn; `,
      `${percent(figures.rejected)} are rejected as none of these. `,
      "New readings show the answer of this task from now on.",
    ),
    h("div", { class: "columns" }, classTable(figures), caseTable(figures)),
    classes.length <= MATRIX_CLASSES ? matrix(classes, figures.confusion) : null,
  );
}

function classTable({ by_class: byClass }) {
  return table(
    "By class",
    ["Class", "Images", "Correct", "95 % interval", "Rejected"],
    Object.entries(byClass).map(([name, one]) => [
      outside(name),
      one.images,
      percent(one.accuracy),
      interval(one),
      percent(one.rejected),
    ]),
  );
}

function caseTable({ by_copy: byCopy, by_ber: byBer = [], by_prefix: byPrefix = [], by_shots: byShots = [] }) {
  const cases = [
    ...[...byCopy, ...byBer].map((one) => [`at a BER of ${one.mean_ber.toExponential(1)}`, one]),
    ...byPrefix.map((one) => [`from the first ${one.bytes} bytes`, one]),
    ...byShots.map((one) => [`taught ${one.images_per_class} images per class`, one]),
  ];
  return table(
    "By link, payload and images",
    ["Case", "Correct", "95 % interval"],
    cases.map(([text, one]) => [text, percent(one.accuracy), interval(one)]),
  );
}

function matrix(classes, counts) {
  return h(
    "div",
    {},
    h("h3", {}, "Confusion matrix"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
      h(
        "table",
        { class: "plain matrix" },
        h("caption", {}, "labels down, answers across"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td", {}),
            classes.map((name) => h("th", { scope: "col" }, outside(name))),
          ),
        ),
        h(
          "tbody",
          {},
          classes.map((name, row) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, outside(name)),
              counts[row].map((number, column) =>
                h("td", { class: row === column ? "diagonal" : null }, number || "·"),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

function table(title, headings, rows) {
  return h(
    "div",
    {},
    h("h3", {}, title),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
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
          rows.map(([first, ...rest]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, first),
              rest.map((text) => h("td", {}, String(text))),
            ),
          ),
        ),
      ),
    ),
  );
}

const interval = ({ interval_95: [low, high] }) => `${percent(low)} to ${percent(high)}`;
