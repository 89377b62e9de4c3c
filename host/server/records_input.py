"""Records of a site that decoders publish, for a page and a store on another machine."""

import json
import threading
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import MQTTMessage

from host.gateway.subscriber import AcknowledgedSubscriber, Delivery
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.server.inputs import InputState
from host.site.records import AnyRecord, record_of
from wire.checks import ContentError

WRITE_EVERY_S = 0.1


class RecordsInput(AcknowledgedSubscriber):
    """Subscriber of a site's readings, statuses and events. They stay at the broker until `deliver` has returned.

    What is no record of the site is counted and dropped.
    """

    def __init__(self, site: str, broker: Broker, deliver: Callable[[Sequence[AnyRecord]], None]) -> None:
        filters = topics.readings_filter(site), topics.statuses_filter(site), topics.events(site)
        super().__init__(broker, f"serve-{site}-records", filters)
        self.state = InputState(f"decoded readings of {site} over MQTT")
        self._site, self._deliver = site, deliver
        self._new: list[tuple[AnyRecord | None, Delivery]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._writer = threading.Thread(target=self._write_all, name=f"records {site}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._writer.start()
        super().start()

    def close(self, flush_s: float = 0.0) -> None:
        """Write what has arrived, acknowledge it, and disconnect."""
        self._ended.set()
        if self._writer.ident:
            self._writer.join()
        super().close(flush_s)

    def check(self) -> None:
        """Bring `state` up to date."""
        self.state.connected, self.state.problem = self.online, self.problem or ""

    def _received(self, message: MQTTMessage) -> None:
        self.state.heard = time.monotonic()
        record: AnyRecord | None = None
        try:
            record = record_of(json.loads(bytes(message.payload).decode()))
            if record.site != self._site:
                raise ContentError(f"its site is {record.site}")
        except (ContentError, ValueError, RecursionError) as error:
            self._refuse(f"record of site {self._site}", error)
            record = None
        with self._lock:
            self._new.append((record, self._delivery(message)))

    def _write_all(self) -> None:
        while not self._ended.wait(WRITE_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        if new:
            self._deliver([record for record, _ in new if record is not None])
            self.acknowledge(delivery for _, delivery in new)
