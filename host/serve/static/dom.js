// Elements from data. Text always becomes a text node: nothing that a board, a bundle or a broker says is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("a", { href: "#/live", class: "quiet" }, "Live")`. `on` holds listeners by event. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Text from outside, whose direction must not change that of the text around it. */
export function outside(text, attributes = {}) {
  return h("bdi", attributes, printable(text));
}

/** Control characters and those that change the direction of text, shown as their code. */
export function printable(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Replaces all that is in an element. */
export function replace(element, ...children) {
  element.replaceChildren(...present(children));
}

/** A paragraph that says what to do where there is nothing to show yet. */
export function empty(title, ...children) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), ...children);
}

/** Tells screen readers what has just happened. */
export function announce(text) {
  document.getElementById("announcer").textContent = printable(text);
}

function fill(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child != null && child !== false);
}
