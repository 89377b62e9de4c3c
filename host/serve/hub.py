"""Live records for everyone who watches: published from any thread, received by asynchronous subscribers."""

import asyncio
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property

from host.site.records import AnyRecord, Json

KEPT = 300  # messages for subscribers that come back
WAITING = 1000  # messages that a subscriber may be behind before it is dropped; more than it gets when it comes back


@dataclass(frozen=True)
class Message:
    """One message. It becomes text when the first subscriber needs it, as often there is none."""

    id: str
    event: str
    values: Callable[[], Json]

    @cached_property
    def text(self) -> str:
        """The message as a server-sent event."""
        return f"id: {self.id}\nevent: {self.event}\ndata: {json.dumps(self.values(), ensure_ascii=False)}\n\n"


class Subscription:
    """The messages of one subscriber, in order. It ends when the hub closes or the subscriber is too slow."""

    def __init__(self, hub: "Hub", missed: list[Message], complete: bool) -> None:
        self.complete = complete  # nothing was missed since the last message that the subscriber knows
        self.dropped = False
        self._hub = hub
        self._messages = deque(missed)
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._ended = False

    async def messages(self, timeout_s: float) -> AsyncIterator[Message | None]:
        """Yield messages as they come, and None whenever there is none for timeout_s seconds."""
        while not self._ended:
            self._changed.clear()
            while self._messages and not self._ended:
                yield self._messages.popleft()
            if self._ended:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except TimeoutError:
                yield None

    def put(self, message: Message) -> None:
        """Add a message, from any thread; a subscriber with too many waiting is dropped."""
        if len(self._messages) >= WAITING:
            self.dropped = True
            self._hub.leave(self)
            self.end()
        else:
            self._messages.append(message)
            self._wake()

    def end(self) -> None:
        """End the subscription, from any thread."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        # A loop that is closed has no subscribers who could still wait.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


class Hub:
    """Publishes records to subscribers. No subscriber can delay it or another."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._lock = threading.RLock()
        self._number = 0
        self._kept: deque[Message] = deque(maxlen=KEPT)
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def publish(self, record: AnyRecord) -> None:
        """Publish a record, from any thread."""
        self.announce(record.kind, record.as_json)

    def announce(self, event: str, values: Callable[[], Json]) -> None:
        """Publish an object that is no record, such as a new label, from any thread."""
        with self._lock:
            self._number += 1
            message = Message(f"{self._boot}-{self._number}", event, values)
            self._kept.append(message)
            for subscription in tuple(self._subscriptions):
                subscription.put(message)

    def subscribe(self, last_id: str | None = None) -> Subscription:
        """Return a subscription to all that comes after the message last_id, or from now on without it."""
        with self._lock:
            missed = self._after(last_id) if last_id else []
            subscription = Subscription(self, missed or [], complete=missed is not None)
            if self._closed:
                subscription.end()
            else:
                self._subscriptions.add(subscription)
            return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End all subscriptions, so that a server can stop."""
        with self._lock:
            self._closed = True
            for subscription in self._subscriptions:
                subscription.end()
            self._subscriptions.clear()

    @property
    def subscribers(self) -> int:
        """The number of subscriptions."""
        with self._lock:
            return len(self._subscriptions)

    def _after(self, last_id: str) -> list[Message] | None:
        """Return the messages after one, None if some of them are gone or it is of another hub."""
        boot, _, number = last_id.rpartition("-")
        if boot != self._boot or not number.isdecimal() or len(number) > 18 or int(number) > self._number:
            return None
        behind = self._number - int(number)
        if behind > len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - behind :]
