"""Prometheus metrics of a server: what arrives, how well, and what is in the way."""

import contextlib
from collections import OrderedDict
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from host.server.inputs import InputState
from host.server.sink import Sink
from host.site.records import AnyRecord, EventRecord, ReadingRecord, StatusRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEVICE = ("site", "device")
MOST_COUNTED = 10_000  # readings to which further frames can be added


class Metrics:
    """Metrics of one process, in a registry of its own. `take` is given every record."""

    def __init__(self, sink: Sink, inputs: Sequence[InputState]) -> None:
        self._registry = registry = CollectorRegistry()
        self._inputs = inputs

        def counter(name: str, text: str, labels: Sequence[str]) -> Counter:
            return Counter(f"inkling_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: Sequence[str] = DEVICE) -> Gauge:
            return Gauge(f"inkling_{name}", text, labels, registry=registry)

        self._readings = counter("readings", "images read", (*DEVICE, "answered_by"))
        self._frames = counter("receptions", "frames received, copies by other gateways included", ("site", "gateway"))
        self._events = counter("events", "events, by kind", ("site", "event"))
        self._lost = gauge("lost_images", "images lost so far, at least")
        self._seen = gauge("last_seen_seconds", "Unix time of the last frame")
        self._ber = gauge("bit_error_ratio", "bit error rate of the best link")
        self._snr = gauge("snr_decibels", "signal-to-noise ratio of the best reception")
        self._battery = gauge("battery_volts", "voltage in the last status frame that has it")
        self._uptime = gauge("uptime_seconds", "time since the device started, in its last status frame")
        self._up = gauge("input_up", "1 if an input is there", ("input",))
        waiting = gauge("records_waiting", "records that are not in the store yet", ())
        waiting.set_function(lambda: sink.waiting)
        missed = gauge("records_missed", "records that never got into the store", ())
        missed.set_function(lambda: sink.missed)
        # Receptions counted of the latest readings, by id: a further frame of an image makes no further reading.
        self._counted: OrderedDict[str, int] = OrderedDict()

    def take(self, record: AnyRecord) -> None:
        """Count a record."""
        site, device = record.site, str(getattr(record, "device", ""))
        if isinstance(record, ReadingRecord):
            self._take_reading(record)
        elif isinstance(record, StatusRecord) and not record.gateway:
            self._seen.labels(site, device).set(record.time)
            self._uptime.labels(site, device).set(record.uptime_s)
            if record.battery_v is not None:
                self._battery.labels(site, device).set(record.battery_v)
        elif isinstance(record, EventRecord):
            self._events.labels(site, record.event).inc()

    def forget(self, site: str, device: int) -> None:
        """Remove what is known of a device, until it is heard again, so that it no longer raises alerts."""
        for one in (self._lost, self._seen, self._ber, self._snr, self._battery, self._uptime):
            with contextlib.suppress(KeyError):  # of older libraries, if it never had this figure
                one.remove(site, str(device))

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        for state in self._inputs:
            self._up.labels(state.name).set(state.connected)
        return generate_latest(self._registry)

    def _take_reading(self, record: ReadingRecord) -> None:
        site, device = record.site, str(record.device)
        counted = self._counted.pop(record.id, None)
        if counted is None:
            self._readings.labels(site, device, record.answered_by).inc()
        for reception in record.receptions[counted or 0 :]:
            self._frames.labels(site, reception.gateway).inc()
            self._seen.labels(site, device).set(reception.time)
        self._counted[record.id] = len(record.receptions)
        if len(self._counted) > MOST_COUNTED:
            self._counted.popitem(last=False)
        self._lost.labels(site, device).set(record.lost_total)
        self._ber.labels(site, device).set(record.ber)
        signals = [one.snr_db for one in record.receptions if one.snr_db is not None]
        if signals:
            self._snr.labels(site, device).set(max(signals))
