// What is known of all devices, kept current from the live feed.

import { get } from "./api.js";
import { setClock } from "./format.js";

export const keyOf = ({ site, device }) => `${site}/${device}`;
export const linkOf = ({ site, device }) => `#/device/${encodeURIComponent(site)}/${device}`;

export class Devices {
  #rows = new Map();

  async load() {
    const { time, devices } = await get("/api/devices");
    setClock(time);
    this.#rows = new Map(devices.map((row) => [keyOf(row), row]));
  }

  get all() {
    return [...this.#rows.values()];
  }

  get severalSites() {
    return new Set(this.all.map((row) => row.site)).size > 1;
  }

  find(site, device) {
    return this.#rows.get(keyOf({ site, device }));
  }

  /** The name of a device, or its number. */
  name({ site, device }) {
    return this.find(site, device)?.name ?? `device ${device}`;
  }

  /** Takes over a record of the live feed. */
  apply(kind, record) {
    if (kind === "label" || record.device == null || record.gateway === true) return;
    const row = this.find(record.site, record.device);
    if (kind === "event") {
      if (row) this.#applyEvent(row, record.event);
      return;
    }
    const known = row ?? {
      site: record.site, device: record.device, name: null, area: null, readings: 0, last_seen: record.time, tasks: {},
      lost_total: 0, lost_total_certainty: "exact", clash: false,
    };
    known.silent = false;
    known.last_seen = Math.max(known.last_seen, record.time);
    if (kind === "status") {
      known.battery_v = record.battery_v ?? known.battery_v;
      known.snr_db = record.snr_db ?? known.snr_db;
    } else {
      this.#applyReading(known, record);
    }
    this.#rows.set(keyOf(known), known);
  }

  #applyReading(row, record) {
    if (row.reading_id !== record.id) row.readings += 1;
    row.lost_total = record.lost_total;
    row.lost_total_certainty = record.lost_total_certainty;
    if (record.late) return; // an older image says nothing about now
    row.reading_id = record.id;
    for (const name of ["bundle", "label", "confidence", "answered_by", "unsure", "auth", "tasks", "ber"]) {
      row[name] = record[name];
    }
    const best = bestReception(record);
    row.snr_db = best?.snr_db ?? row.snr_db;
    row.rssi_dbm = best?.rssi_dbm ?? row.rssi_dbm;
  }

  #applyEvent(row, event) {
    if (event === "silent") row.silent = true;
    if (event === "back") row.silent = false;
    if (event === "clash") row.clash = true;
  }
}

/** The reception with the highest SNR. */
export function bestReception({ receptions }) {
  return receptions.reduce((best, one) => ((one.snr_db ?? -Infinity) > (best?.snr_db ?? -Infinity) ? one : best), null);
}
