// A label in the form of a lesson: which of its readings are chosen.

import { get } from "../api.js";
import { h, outside, replace } from "../dom.js";
import { count, moment } from "../format.js";
import { readingLink } from "../parts.js";

const LISTED = 200; // readings of one label that are listed one by one

/** One label: all of its readings are chosen, none, or all but some. */
export function labelRow(one, at, app, onChange) {
  const all = h("input", { type: "checkbox", id: `label-${at}`, checked: true });
  const number = h("span", {}, count(one.count));
  const list = h("ul", { class: "picks" });
  const details = h("details", {}, h("summary", {}, "choose one by one"), list);
  all.addEventListener("change", () => {
    one.chosen = all.checked;
    one.without.clear();
    for (const box of list.querySelectorAll("input")) box.checked = all.checked;
    tell();
  });
  details.addEventListener("toggle", async () => {
    if (!details.open || list.children.length) return;
    const { readings } = await get("/api/readings", { human_label: one.label, limit: LISTED });
    replace(list, readings.filter((reading) => reading.model_id === one.model_id).map(pick));
  });

  function pick(reading) {
    const box = h("input", { type: "checkbox", checked: one.chosen && !one.without.has(reading.id) });
    box.addEventListener("change", () => {
      if (box.checked) one.without.delete(reading.id);
      else one.without.add(reading.id);
      tell();
    });
    const text = h("label", { class: "check" }, box, moment(reading.time), " ", outside(app.devices.name(reading)));
    return h("li", {}, text, h("a", { href: readingLink(reading.id) }, "show"));
  }

  function tell() {
    for (const box of list.querySelectorAll("input")) box.disabled = !one.chosen;
    const left = one.chosen ? one.count - one.without.size : 0;
    all.indeterminate = left > 0 && left < one.count;
    number.textContent = left === one.count ? count(left) : `${left} of ${one.count}`;
    onChange();
  }

  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("label", { class: "check" }, all, outside(one.label)), details),
    h("td", {}, number),
  );
}
