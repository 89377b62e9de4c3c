"""A connection to a broker that comes back by itself."""

import contextlib
import logging
import random
import select
import socket
import threading
import time
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from host.mqtt import topics
from host.mqtt.broker import Broker
from wire.text import printable

log = logging.getLogger(__name__)

KEEPALIVE_S = 30  # a client that is gone is offline after one and a half of these
CONNECT_S = 10.0
RETRY_S, MAX_RETRY_S = 1.0, 30.0
POLL_S = 1.0  # the longest wait for a wake-up
MAX_MESSAGE_BYTES = 1 << 18
SHORT_S, SHORT_CONNECTIONS = 10.0, 3  # connections that another client of the same name ends
TAKEN_OVER, WITH_WILL = 0x8E, 0x04  # reason codes of a disconnection
ONLINE, OFFLINE = b"online", b"offline"
NO_ANSWER = "no answer from the broker yet"


class Connection:
    """A connection in a thread of its own: MQTT 5, QoS 1, with a retained state `online` or `offline`.

    Sub-classes override what happens in it: `_connected`, `_received`, `_acknowledged`, `_work` and `_has_work`.
    Everything of paho's is called there alone, so that nothing can change between two steps. Failures are logged, each
    kind once until the connection stands, and `problem` has the present one. Nothing is given up: a machine may start
    before its network, its name server and its clock.

    session_s: how long the broker keeps subscriptions and messages for this client while it is away. announced: False
    for a client that comes only once, without that retained state.
    """

    def __init__(
        self,
        broker: Broker,
        client: str,
        *,
        subscriptions: tuple[str, ...] = (),
        session_s: int = 0,
        window: int = 100,
        announced: bool = True,
    ) -> None:
        self.broker, self.client, self.window = broker, client, window
        self.online = False
        self.problem: str | None = NO_ANSWER
        self.connections = 0  # so far; tells messages of an earlier one
        self._filters = subscriptions
        self._session_s, self._announced = session_s, announced
        self._stopping = threading.Event()
        self._deadline = float("inf")  # of the work left when stopping
        # Of this attempt: the broker has answered; the connection stood; another client of this name took it.
        self._answered = self._stood = self._taken_over = False
        self._since, self._short = 0.0, 0  # begin of the connection; short ones in a row
        self._change = threading.Condition()
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._paho = self._new_client()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False after a fault of this program, whose traceback is printed, and after `close`."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Let the thread look for work. From any thread; never blocks."""
        with contextlib.suppress(BlockingIOError, OSError):  # full: it will wake; closed: it has ended
            self._wake_writer.send(b"\0")

    def first_attempt(self, timeout_s: float) -> str | None:
        """Wait for the end of the first attempt, and return None if the connection stands, else why it does not."""
        with self._change:
            self._change.wait_for(lambda: self.online or self.problem != NO_ANSWER, timeout_s)
            return None if self.online else self.problem

    def close(self, flush_s: float = 0.0) -> None:
        """Finish the work that is left, for at most `flush_s`, and disconnect."""
        self._deadline = time.monotonic() + flush_s
        self._stopping.set()
        self.wake()
        if self._thread.ident:
            self._thread.join(flush_s + 1.0)  # it may be looking up a name, which nothing interrupts
        if not self._thread.is_alive():
            self._wake_reader.close()
            self._wake_writer.close()

    def _connected(self) -> None:
        """The connection stands, with its subscriptions."""

    def _received(self, message: paho.MQTTMessage) -> None:
        """A message of a subscription arrived."""

    def _acknowledged(self, number: int, reason: ReasonCode) -> None:
        """The broker has answered a published message."""

    def _work(self) -> None:
        """Do what can be done now. Called after each event and wake-up while the connection stands."""

    def _has_work(self) -> bool:
        """Return True while a closing connection should wait."""
        return False

    def _publish(self, topic: str, payload: bytes, retain: bool = False) -> int:
        """Send a message, and return the number by which it is acknowledged."""
        return self._paho.publish(topic, payload, qos=1, retain=retain).mid

    def _new_client(self) -> paho.Client:
        # The application acknowledges messages when it has dealt with them.
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            self.client,
            protocol=paho.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(0)  # the window is ours
        if self.broker.user is not None:
            client.username_pw_set(self.broker.user, self.broker.password)
        if self.broker.tls:
            client.tls_set_context(self.broker.tls)
        if self._announced:
            client.will_set(topics.online(self.client), OFFLINE, qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        # A small message must not wait for the acknowledgement of the one before it.
        client.on_socket_open = lambda _client, _data, line: _send_at_once(line)
        client.on_subscribe = lambda _client, _data, _number, reasons, _properties: self._on_subscribe(reasons)
        client.on_message = lambda _client, _data, message: self._received(message)
        client.on_publish = lambda _client, _data, number, reason, _properties: self._acknowledged(number, reason)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._session_s
        properties.ReceiveMaximum = self.window
        properties.MaximumPacketSize = MAX_MESSAGE_BYTES
        client.connect_async(
            self.broker.host, self.broker.port, KEEPALIVE_S, clean_start=not self._session_s, properties=properties
        )
        return client

    def _run(self) -> None:
        wait_s = RETRY_S
        while not self._stopping.is_set():
            if self._connect():
                self._stay_connected()
                if self._stood:
                    wait_s = MAX_RETRY_S if self._taken_over else RETRY_S
            # Not all clients at once, when a broker comes back.
            self._stopping.wait(random.uniform(wait_s / 2, wait_s))
            wait_s = min(2 * wait_s, MAX_RETRY_S)

    def _connect(self) -> bool:
        self._answered = self._stood = self._taken_over = False
        try:
            self._paho.reconnect()
        except OSError as error:
            self._failed(self.broker.problem(error))
            return False
        return True

    def _stay_connected(self) -> None:
        while self._step():
            if self.online:
                self._work()
            if self._stopping.is_set() and (
                not self.online or not self._has_work() or time.monotonic() >= self._deadline
            ):
                break
        if self._paho.socket() is not None:
            self._paho.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=WITH_WILL))  # hence `offline`
        self._set_online(False, self.problem)

    def _step(self) -> bool:
        """Wait for an event, and handle it. Return False when the connection is lost."""
        line = self._paho.socket()
        if line is None:
            return False
        pending = getattr(line, "pending", None)  # of TLS: decrypted already, so that select() would wait for more
        wait_s = 0.0 if pending and pending() else min(POLL_S, max(0.0, self._deadline - time.monotonic()))
        readable, _, _ = select.select([line, self._wake_reader], [line] if self._paho.want_write() else [], [], wait_s)
        if self._wake_reader in readable:
            with contextlib.suppress(BlockingIOError):
                self._wake_reader.recv(4096)
        return self._paho.loop(0.0) == paho.MQTT_ERR_SUCCESS

    def _on_connect(
        self,
        client: paho.Client,
        _data: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answered = True
        if reason.is_failure:
            self._failed(f"{self.broker} refuses this client ({reason}): check user, password and its permissions")
            return
        client.drop_out_messages()  # they are sent again from where they wait, in order
        self.connections += 1
        self._since = time.monotonic()
        self.window = min(self.window, getattr(properties, "ReceiveMaximum", self.window))
        if self._filters:
            client.subscribe([(name, paho.SubscribeOptions(qos=1)) for name in self._filters])
        else:
            self._stand()

    def _on_subscribe(self, reasons: list[ReasonCode]) -> None:
        refused = [name for name, reason in zip(self._filters, reasons, strict=True) if reason.is_failure]
        if refused:
            self._failed(f"{self.broker} refuses the subscription to {refused[0]}: check the permissions of the user")
            self._paho.disconnect()
        else:
            self._stand()

    def _stand(self) -> None:
        log.info("connected to %s", self.broker)
        if self._announced:
            self._publish(topics.online(self.client), ONLINE, retain=True)
        self._stood = True
        self._connected()
        self._set_online(True, None)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._stopping.is_set():
            return
        if self.online:
            self._short = self._short + 1 if time.monotonic() - self._since < SHORT_S else 0
        # Debian's mosquitto gives no reason.
        self._taken_over = reason.value == TAKEN_OVER or self._short >= SHORT_CONNECTIONS
        if self._taken_over:
            self._failed(
                f"lost {self.broker}, it seems to another program that connects as {self.client}: use different names"
            )
        elif self.online:
            self._failed(
                f"lost {self.broker} ({reason})" if flags.is_disconnect_packet_from_server else f"lost {self.broker}"
            )
        elif not self._answered:
            self._failed(
                f"{self.broker} closed the connection before it stood: check the port, and whether the broker demands "
                "TLS or a client certificate"
            )

    def _failed(self, problem: str) -> None:
        if self.problem != problem:
            log.warning("%s; trying again", printable(problem))
        self._set_online(False, problem)

    def _set_online(self, online: bool, problem: str | None) -> None:
        with self._change:
            self.online, self.problem = online, problem
            self._change.notify_all()


def _send_at_once(line: Any) -> None:  # noqa: ANN401 - a socket, or what wraps one
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
