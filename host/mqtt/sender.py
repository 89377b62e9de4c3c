"""Messages to a broker: from where they wait, in order, until the broker has them."""

import itertools
import logging
import threading
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from paho.mqtt.reasoncodes import ReasonCode

from host.mqtt.broker import Broker
from host.mqtt.connection import Connection

log = logging.getLogger(__name__)

NO_SUBSCRIBERS = 0x10  # reason code of an acknowledgement
REFUSED_S = 30.0  # pause after the broker has refused a message


class Message(NamedTuple):
    """A message that waits. `key` names it in its outbox."""

    key: int
    topic: str
    payload: bytes
    retain: bool = False


class Outbox(Protocol):
    """Where messages wait. Its methods are called from several threads."""

    def take(self, most: int) -> Sequence[Message]:
        """Return up to `most` next messages, in order, and each only once until `rewind`."""

    def sent(self, keys: Iterable[int]) -> None:
        """Forget messages, which the broker has."""

    def rewind(self) -> None:
        """Begin again with the oldest message."""

    @property
    def waiting(self) -> int:
        """The number of messages that the broker does not have yet."""


class MemoryOutbox:
    """Outbox of the newest payload for each retained topic, and of a limited number of other messages.

    The newest retained messages are kept: `rewind` sends them again, since a broker may have lost them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._keys = itertools.count()
        self._states: OrderedDict[str, Message] = OrderedDict()  # the newest by topic
        self._unsent: OrderedDict[str, None] = OrderedDict()  # topics of states, in order
        self._stream: deque[Message] = deque()
        self._taken = 0  # of the stream, from its start
        self._acknowledged: set[int] = set()  # of those taken, not yet removed from the start
        self._pending: set[int] = set()  # keys of states that are under way
        self.dropped = 0  # of the stream, when it was full

    def put(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Add a message; a retained one replaces that of its topic, another one the oldest when there are too many."""
        with self._lock:
            message = Message(next(self._keys), topic, payload, retain)
            if retain:
                self._states[topic] = message
                self._unsent[topic] = None
                return
            if len(self._stream) >= self._most:
                dropped = self._stream.popleft()
                self._taken = max(0, self._taken - 1)
                self.dropped += dropped.key not in self._acknowledged
                self._acknowledged.discard(dropped.key)
            self._stream.append(message)

    def clear(self, topic: str) -> None:
        """Clear a retained topic at the broker, and keep nothing of it once that is acknowledged."""
        self.put(topic, b"", retain=True)

    def take(self, most: int) -> Sequence[Message]:
        """Return the next messages: states first."""
        with self._lock:
            taken: list[Message] = []
            while self._unsent and len(taken) < most:
                taken.append(self._states[self._unsent.popitem(last=False)[0]])
            self._pending.update(message.key for message in taken)
            rest = list(itertools.islice(self._stream, self._taken, self._taken + most - len(taken)))
            self._taken += len(rest)
            return taken + rest

    def sent(self, keys: Iterable[int]) -> None:
        """Forget messages of the stream, and retained ones that only cleared a topic."""
        with self._lock:
            for key in keys:
                if key not in self._pending:
                    if self._stream and key >= self._stream[0].key:  # else it was dropped meanwhile
                        self._acknowledged.add(key)
                    continue
                self._pending.discard(key)
                cleared = next((m.topic for m in self._states.values() if m.key == key and not m.payload), None)
                if cleared is not None:
                    del self._states[cleared]
            while self._stream and self._stream[0].key in self._acknowledged:
                self._acknowledged.discard(self._stream.popleft().key)
                self._taken -= 1

    def rewind(self) -> None:
        """Begin again: all states, and the oldest message that the broker has not acknowledged."""
        with self._lock:
            self._pending.clear()
            self._unsent = OrderedDict.fromkeys(self._states)
            self._stream = deque(message for message in self._stream if message.key not in self._acknowledged)
            self._acknowledged.clear()
            self._taken = 0

    @property
    def waiting(self) -> int:
        """The number of messages that the broker does not have yet."""
        with self._lock:
            return len(self._unsent) + len(self._pending) + len(self._stream) - len(self._acknowledged)


class Sender(Connection):
    """A connection that empties outboxes, the first one first. Call `wake` after an addition.

    `refused` counts messages that the broker refused; they are tried again after a pause. `unheard` counts those,
    of the not retained ones, for which it reported that nobody subscribes.
    """

    def __init__(
        self,
        broker: Broker,
        client: str,
        outboxes: Sequence[Outbox],
        *,
        subscriptions: tuple[str, ...] = (),
        announced: bool = True,
    ) -> None:
        super().__init__(broker, client, subscriptions=subscriptions, announced=announced)
        self._outboxes = outboxes
        # Outbox (its index) and message, by the number that the broker acknowledges; keys by outbox.
        self._under_way: dict[int, tuple[int, Message]] = {}
        self._done: defaultdict[int, list[int]] = defaultdict(list)
        self._paused_until = 0.0
        self.refused = self.unheard = 0

    def _connected(self) -> None:
        self._under_way.clear()
        self._done.clear()
        for outbox in self._outboxes:
            outbox.rewind()

    def _acknowledged(self, number: int, reason: ReasonCode) -> None:
        if number not in self._under_way:  # `online`
            return
        outbox, message = self._under_way.pop(number)
        if reason.is_failure:
            if not self.refused:
                log.warning("%s refuses messages (%s): check the permissions of the user", self.broker, reason)
            self.refused += 1
            self._paused_until = time.monotonic() + REFUSED_S
            return
        self.unheard += reason.value == NO_SUBSCRIBERS and not message.retain
        self._done[outbox].append(message.key)

    def _work(self) -> None:
        for index, keys in self._done.items():  # together: an outbox on disk writes once
            self._outboxes[index].sent(keys)
        self._done.clear()
        if self._paused_until:
            if time.monotonic() < self._paused_until:
                return
            if not self._under_way:  # those refused come first again
                self._paused_until = 0.0
                for outbox in self._outboxes:
                    outbox.rewind()
        if len(self._under_way) > self.window // 2:  # else each acknowledgement would let one message go
            return
        for index, outbox in enumerate(self._outboxes):
            for message in outbox.take(self.window - len(self._under_way)):
                number = self._publish(message.topic, message.payload, message.retain)
                self._under_way[number] = index, message

    def _has_work(self) -> bool:
        return not self._paused_until and any(outbox.waiting for outbox in self._outboxes)
