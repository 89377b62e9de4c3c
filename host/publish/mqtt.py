"""Readings, statuses and events of sites to a broker, and the last state of each device."""

import threading
from collections.abc import Iterable

from paho.mqtt.client import MQTTMessage

from host.mqtt import topics
from host.mqtt.broker import Broker
from host.mqtt.sender import MemoryOutbox, Sender
from host.publish.home_assistant import ONLINE, HomeAssistant, config_topic
from host.publish.states import DeviceState
from host.site.records import AnyRecord, EventRecord, Json, ReadingRecord, StatusRecord
from wire.files import to_json

MOST_QUEUED = 10_000  # records, while the broker is away
MAX_DEVICES = 65_536  # whose states are kept


class Publisher:
    """Publisher of records. `publish` may be called from any thread and never waits for the broker.

    While the broker is away, the newest state of each device is kept, and the latest `most_queued` records; `dropped`
    counts older ones. With `home_assistant`, a device is announced after its first frame that is no product of noise
    (`DeviceState.proven`), and has a retained state from then on, too. The announcement is repeated when it changes and
    when Home Assistant starts.
    """

    def __init__(
        self,
        broker: Broker,
        client: str,
        home_assistant: HomeAssistant | None = None,
        most_queued: int = MOST_QUEUED,
    ) -> None:
        self._outbox = MemoryOutbox(most_queued)
        self._home_assistant = home_assistant
        self._devices: dict[tuple[str, int], DeviceState] = {}
        self._configs: dict[tuple[str, int], Json] = {}  # announced
        self._lock = threading.Lock()
        self.sender = _Sender(broker, client, self._outbox, self)

    @property
    def dropped(self) -> int:
        """Records that did not reach the broker because too many waited."""
        return self._outbox.dropped

    @property
    def waiting(self) -> int:
        """Messages that the broker does not have yet."""
        return self._outbox.waiting

    @property
    def status_topics(self) -> tuple[str, ...]:
        """Topics on which Home Assistant says that it has started."""
        return (self._home_assistant.status_topic,) if self._home_assistant else ()

    def start(self) -> None:
        """Begin to connect."""
        self.sender.start()

    def close(self, flush_s: float = 2.0) -> None:
        """Send what can be sent in this time, and disconnect."""
        self.sender.close(flush_s)

    def publish(self, record: AnyRecord) -> None:
        """Publish a record, and the state of its device if that has changed."""
        with self._lock:
            self._outbox.put(_topic(record), _encoded(record.as_json()))
            device = _device(record)
            if device is not None:
                self._update((record.site, device), record)
        self.sender.wake()

    def restore(self, records: Iterable[AnyRecord]) -> None:
        """Take note of records of an earlier run, the oldest first, without publishing: a state has all that is known.

        Otherwise, the battery of a device would be unknown until its next status frame.
        """
        with self._lock:
            for record in records:
                device = _device(record)
                if device is not None and (state := self._state((record.site, device))):
                    state.take(record)

    def withdraw(self, site: str, device: int) -> None:
        """Remove a device from Home Assistant and its state from the broker, until it is heard again."""
        with self._lock:
            self._devices.pop((site, device), None)
            self._configs.pop((site, device), None)
            self._outbox.clear(topics.state(site, device))
            if self._home_assistant:
                self._outbox.clear(config_topic(self._home_assistant.prefix, site, device))
        self.sender.wake()

    def announce(self) -> None:
        """Announce all devices again."""
        with self._lock:
            for (site, device), config in self._configs.items():
                self._put_config(site, device, config)
        self.sender.wake()

    def _update(self, key: tuple[str, int], record: AnyRecord) -> None:
        state = self._state(key)
        if not state or not state.take(record) or not state.proven:
            return
        alerts = self._home_assistant.alerts if self._home_assistant else ()
        self._outbox.put(topics.state(*key), _encoded(state.as_json(alerts)), retain=True)
        if self._home_assistant:
            config = self._home_assistant.config(state, self.sender.client)
            if self._configs.get(key) != config:
                self._configs[key] = config
                self._put_config(*key, config)

    def _state(self, key: tuple[str, int]) -> DeviceState | None:
        """Return the state of a device; None if there are too many."""
        if key not in self._devices and len(self._devices) >= MAX_DEVICES:
            return None
        return self._devices.setdefault(key, DeviceState(*key))

    def _put_config(self, site: str, device: int, config: Json) -> None:
        assert self._home_assistant
        self._outbox.put(config_topic(self._home_assistant.prefix, site, device), _encoded(config), retain=True)


class _Sender(Sender):
    """The publisher's connection, which hears Home Assistant start."""

    def __init__(self, broker: Broker, client: str, outbox: MemoryOutbox, publisher: Publisher) -> None:
        super().__init__(broker, client, [outbox], subscriptions=publisher.status_topics)
        self._publisher = publisher

    def _received(self, message: MQTTMessage) -> None:
        self._paho.ack(message.mid, message.qos)
        if message.payload == ONLINE and not message.retain:  # a retained one is older than the announcements
            self._publisher.announce()


def _topic(record: AnyRecord) -> str:
    if isinstance(record, ReadingRecord):
        return topics.readings(record.site, record.device)
    if isinstance(record, StatusRecord):
        return topics.statuses(record.site, record.device, record.gateway)
    return topics.events(record.site)


def _device(record: AnyRecord) -> int | None:
    """Return the device that a record is about, None if it is about a gateway or none."""
    if isinstance(record, EventRecord):
        return None if record.gateway else record.device
    return None if isinstance(record, StatusRecord) and record.gateway else record.device


def _encoded(values: Json) -> bytes:
    return to_json(values).encode()
