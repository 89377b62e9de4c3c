// Labels, and the teaching of a task from them: choose classes and readings, name the task, see how well it does.

import { change, get } from "../api.js";
import { announce, empty, h, outside, replace } from "../dom.js";
import { count, moment, plural } from "../format.js";
import { confirmed, question, readingLink } from "../parts.js";
import { report } from "../report.js";
import { labelRow } from "./label-row.js";

const NAME = "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}";
const MIN_IMAGES = 2; // of each class
const POLL_MS = 500;

export async function open(root, app) {
  const [{ labels }, { bundles }, progress] = await Promise.all([
    get("/api/labels"),
    get("/api/tasks"),
    get("/api/teach"),
  ]);
  const general = bundles.filter((bundle) => bundle.general);
  const withLabels = general.filter((bundle) => labels.some((row) => row.model_id === bundle.model_id));
  let timer = null;
  let closed = false;
  let bundle = withLabels[0] ?? general[0];

  const outcome = h("div", {});
  const chooser = h("div", {});
  const head = h(
    "div",
    { class: "head" },
    h("h1", {}, "Labels"),
    h("p", { class: "summary" }, plural(total(labels), "labelled reading")),
    labels.length ? h("a", { class: "quiet", href: "/api/export/labels.csv", download: "" }, "Download as CSV") : null,
  );

  function choose(modelId) {
    bundle = general.find((one) => one.model_id === modelId);
    replace(
      chooser,
      lesson(
        labels.filter((row) => row.model_id === bundle.model_id),
        bundle,
        app,
        start,
      ),
    );
  }

  async function start(values) {
    watch(await change("POST", "/api/teach", values));
  }

  async function watch(state) {
    const running = state.state === "running";
    chooser.querySelector("form")?.classList.toggle("busy", running);
    const button = chooser.querySelector("button[type=submit]");
    if (button) button.disabled = running;
    if (state.state === "idle" || closed) return;
    replace(outcome, outcomeOf(state));
    if (!running) return;
    timer = setTimeout(async () => {
      const next = await get("/api/teach").catch(() => state);
      if (next.state !== "running")
        announce(
          next.state === "done" ? `Task ${next.task} is taught` : `Task ${next.task} was not taught: ${next.error}`,
        );
      if (next.state === "done")
        for (const one of bundles) if (one.model_id === next.model_id) one.tasks[next.task] = next.report.classes ?? [];
      watch(next);
    }, POLL_MS);
  }

  const select = h(
    "select",
    { id: "bundle", on: { change: () => choose(select.value) } },
    general.map((one) =>
      h("option", { value: one.model_id, selected: one === bundle }, `${one.name} (${one.model_id})`),
    ),
  );
  replace(
    root,
    head,
    general.length > 1 ? h("p", { class: "row" }, h("label", { for: "bundle" }, "Bundle"), select) : null,
    chooser,
    outcome,
    otherLabels(labels, general),
  );
  if (bundle) choose(bundle.model_id);
  else replace(chooser, noGeneral(labels, bundles));
  watch(progress);
  return {
    title: "Labels",
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** The form of a lesson: which labels and readings, and the task's name. */
function lesson(rows, bundle, app, onStart) {
  if (!rows.length) return noLabels(bundle);
  const classes = rows.map((row) => ({ ...row, chosen: true, without: new Set() }));
  const why = h("p", { class: "explain", id: "why", role: "status" });
  const button = h("button", { type: "submit", class: "primary", "aria-describedby": "why" }, "Teach");
  const name = h("input", {
    id: "task",
    type: "text",
    required: true,
    pattern: NAME,
    maxlength: 64,
    autocomplete: "off",
    spellcheck: "false",
    list: "tasks",
    on: { input: () => check() },
  });
  const mode = h(
    "fieldset",
    { class: "choice-box", hidden: true },
    h("legend", {}, "This task exists"),
    radio("add", "add these readings to it", true),
    radio("replace", "replace it", false),
  );
  const dialog = question("Replace the task?", "What it was taught before is lost.", "Replace");

  const table = h(
    "table",
    { class: "plain" },
    h("caption", { class: "hidden" }, "Labels to teach"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Label", "Readings"].map((text) => h("th", { scope: "col" }, text)),
      ),
    ),
    h(
      "tbody",
      {},
      classes.map((one, at) => labelRow(one, at, app, check)),
    ),
  );

  function check() {
    const counts = chosen().map((one) => [one.label, one.count - one.without.size]);
    const exists = name.value in bundle.tasks;
    mode.hidden = !exists;
    const adding = exists && form.elements.mode.value === "add";
    const few = counts.find(([, number]) => number < MIN_IMAGES);
    let reason = null;
    if (!adding && counts.length < 2)
      reason = "A task needs at least 2 classes: choose or give another label, such as “nothing”.";
    else if (!adding && few)
      reason = [
        "Label ",
        outside(few[0]),
        ` has ${few[1]} reading: at least ${MIN_IMAGES} are needed. About 20 make a good start.`,
      ];
    else if (!counts.length) reason = "No reading is chosen.";
    button.disabled = reason != null;
    replace(
      why,
      reason ??
        `${plural(counts.length, "class", "classes")}, ${plural(
          counts.reduce((sum, [, number]) => sum + number, 0),
          "reading",
        )}.`,
    );
  }

  const chosen = () => classes.filter((one) => one.chosen && one.count > one.without.size);

  async function submit(event) {
    event.preventDefault();
    if (event.target !== form) return;
    const chosenMode = name.value in bundle.tasks ? form.elements.mode.value : "new";
    if (chosenMode === "replace" && !(await confirmed(dialog))) return;
    try {
      const labels = chosen().map((one) => one.label);
      const without = chosen().flatMap((one) => [...one.without]);
      await onStart({ model_id: bundle.model_id, task: name.value, labels, without, mode: chosenMode });
    } catch (error) {
      replace(why, h("span", { class: "error" }, `Not started: ${error.message}.`));
    }
  }

  const form = h(
    "form",
    { class: "box", on: { submit, change: () => check() } },
    h("h2", {}, "Teach a task"),
    h(
      "p",
      { class: "explain" },
      "The boards stay as they are: the host learns the classes, and answers with them from the next frame on.",
    ),
    h("div", { class: "scroll" }, table),
    h("div", { class: "row" }, h("label", { for: "task" }, "Name of the task"), name, button),
    h(
      "datalist",
      { id: "tasks" },
      Object.keys(bundle.tasks).map((task) => h("option", { value: task })),
    ),
    mode,
    why,
  );
  check();
  return [form, dialog];
}

function radio(value, text, checked) {
  return h("label", { class: "check" }, h("input", { type: "radio", name: "mode", value, checked }), text);
}

function outcomeOf({ state, task, step, error, report: figures }) {
  if (state === "running") {
    return h(
      "section",
      { class: "box", role: "status" },
      h("h2", {}, "Teaching ", outside(task)),
      h("p", { class: "explain" }, `${step} …`),
      h("progress", { "aria-label": "Teaching" }),
    );
  }
  if (state === "failed")
    return h(
      "section",
      { class: "box" },
      h("h2", {}, "Task ", outside(task), " was not taught"),
      h("p", { class: "error", role: "alert" }, `${error}.`),
    );
  return report(task, figures);
}

function noLabels(bundle) {
  return empty(
    `No reading of ${bundle.name} is labelled yet.`,
    h(
      "p",
      {},
      "Open a reading under ",
      h("a", { href: "#/live" }, "Live"),
      ", say what it was, and save. With about 20 labelled readings of each class, a task can be taught here: ",
      "then the host answers which of the classes an image shows.",
    ),
  );
}

function noGeneral(labels, bundles) {
  const names = bundles.map((bundle) => bundle.name).join(", ");
  return empty(
    labels.length ? "No bundle of this host can be taught." : "No reading is labelled yet.",
    h(
      "p",
      {},
      "Any reading can be labelled: open it and say what it was. Tasks are taught to general bundles, such as ",
      h("code", {}, "bundles/general64"),
      bundles.length ? `. This host has ${names}, whose classes are fixed.` : ".",
    ),
  );
}

function otherLabels(labels, general) {
  const others = labels.filter((row) => !general.some((bundle) => bundle.model_id === row.model_id));
  if (!others.length || !general.length) return null;
  return h(
    "p",
    { class: "explain" },
    `${plural(total(others), "labelled reading")} of bundles with fixed classes: kept and exported, not taught.`,
  );
}

const total = (labels) => labels.reduce((sum, row) => sum + row.count, 0);
