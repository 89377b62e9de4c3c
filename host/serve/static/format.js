// Times and figures as text.

import { h } from "./dom.js";

const STEPS = [
  [60, "s", 1],
  [3600, "min", 60],
  [86400, "h", 3600],
  [Infinity, "d", 86400],
];
const NOW_S = 3;
const DAY_S = 86400;

let offset = 0; // of the host's clock, in seconds, from that of this machine

/** Takes over the host's clock, so that "10 s ago" holds where this machine's clock is wrong. */
export function setClock(seconds) {
  offset = seconds - Date.now() / 1000;
}

/** The host's time, Unix time in seconds. */
export function now() {
  return Date.now() / 1000 + offset;
}

/** An element with a time as "12 s ago", which stays correct, and the whole time as its title. */
export function ago(seconds) {
  const element = h("time", { datetime: iso(seconds), title: full(seconds), "data-ago": seconds });
  element.textContent = relative(seconds);
  return element;
}

/** An element with a time of the day, with the date if it is not today's. */
export function moment(seconds) {
  return h("time", { datetime: iso(seconds), title: full(seconds) }, short(seconds));
}

/** Renews all times of `ago` on the page. */
export function renewTimes() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = relative(Number(element.dataset.ago));
    if (element.textContent !== text) element.textContent = text;
  }
}

function relative(seconds) {
  const age = now() - seconds;
  if (age < NOW_S) return age < -60 ? short(seconds) : "now";
  const [, unit, size] = STEPS.find(([limit]) => age < limit);
  return `${Math.floor(age / size)} ${unit} ago`;
}

export function short(seconds) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  if (date.toDateString() === new Date(now() * 1000).toDateString()) return time;
  return `${date.toLocaleDateString([], { day: "numeric", month: "short" })} ${time}`;
}

export function full(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
}

/** A time on an axis: of the day, or the day where the span is longer. */
export function tick(seconds, span) {
  const date = new Date(seconds * 1000);
  if (span > 2 * DAY_S) return date.toLocaleDateString([], { day: "numeric", month: "short" });
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

export function duration(seconds) {
  const [, unit, size] = STEPS.find(([limit]) => seconds < limit);
  return `${Math.floor(seconds / size)} ${unit}`;
}

const signed = (value, digits) => value.toFixed(digits).replace("-", "\u2212");
export const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(share < 0.9995 ? 1 : 0)} %`);
export const db = (value) => (value == null ? "–" : `${signed(value, 1)} dB`);
export const dbm = (value) => (value == null ? "–" : `${signed(value, 0)} dBm`);
export const volts = (value) => (value == null ? "–" : `${value.toFixed(2)} V`);
export const count = (value) => value.toLocaleString("en");
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A bit error rate, such as 2.1e-3. */
export function ber(value) {
  if (value == null) return "–";
  return value === 0 ? "0" : value.toExponential(1);
}

/** A number of lost images with its certainty: 4, ≥ 4 or ≈ 4. */
export function lost(number, certainty) {
  const sign = { "at least": "≥ ", about: "≈ " }[certainty] ?? "";
  return `${sign}${count(number)}`;
}

const iso = (seconds) => new Date(seconds * 1000).toISOString();
