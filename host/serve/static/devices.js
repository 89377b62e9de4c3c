// What is known of all devices, kept current from the live feed.

import { get } from "./api.js";
import { setClock } from "./format.js";

export const keyOf = ({ site, device, gateway }) => `${site}/${gateway === true ? "gateway " : ""}${device}`;
export const linkOf = ({ site, device }) => `#/device/${encodeURIComponent(site)}/${device}`;

export class Devices {
  #rows = new Map();

  async load() {
    const { time, devices } = await get("/api/devices");
    setClock(time);
    this.#rows = new Map(devices.map((row) => [keyOf(row), row]));
  }

  get all() {
    return [...this.#rows.values()].filter((row) => !row.gateway);
  }

  get gateways() {
    return [...this.#rows.values()].filter((row) => row.gateway);
  }

  get severalSites() {
    return new Set(this.all.map((row) => row.site)).size > 1;
  }

  find(site, device) {
    return this.#rows.get(keyOf({ site, device }));
  }

  /** The name of a device, or its number. */
  name({ site, device, gateway }) {
    if (gateway === true) return `gateway ${device}`;
    return this.find(site, device)?.name ?? `device ${device}`;
  }

  /** Takes over a record of the live feed. */
  apply(kind, record) {
    if (kind === "label" || record.device == null) return;
    const key = keyOf(record);
    if (kind === "forgotten") {
      this.#rows.delete(key);
      return;
    }
    const row = this.#rows.get(key);
    if (kind === "event") {
      if (row) applyEvent(row, record);
      return;
    }
    const known = row ?? {
      site: record.site,
      device: record.device,
      gateway: record.gateway === true,
      name: null,
      area: null,
      first_seen: record.time,
      last_seen: record.time,
      readings: 0,
      clash: false,
      reading: null,
      status: null,
    };
    known.silent_since = null;
    known.last_seen = Math.max(known.last_seen, record.time);
    if (kind === "status") known.status = record;
    else applyReading(known, record);
    this.#rows.set(key, known);
  }
}

function applyReading(row, record) {
  if (row.reading?.id !== record.id) row.readings += 1;
  if (row.reading && record.time < row.reading.time) return; // an older image says nothing about now
  row.reading = record;
}

function applyEvent(row, { event, time }) {
  if (event === "silent") row.silent_since = time;
  if (event === "back") row.silent_since = null;
  if (event === "clash") row.clash = true;
}

/** The reception with the highest SNR, null if there is none. */
export function bestReception({ receptions }) {
  return receptions.reduce(
    (best, one) => ((one.snr_db ?? -Infinity) >= (best?.snr_db ?? -Infinity) ? one : best),
    null,
  );
}

/** SNR and RSSI of a device: of its last reading or its last status, whichever is newer. */
export function signalOf({ reading, status }) {
  if (status && !(reading && reading.time > status.time)) return status;
  return (reading && bestReception(reading)) ?? {};
}
