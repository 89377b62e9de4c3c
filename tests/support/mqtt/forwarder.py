"""A Semtech packet forwarder for tests, which speaks version 2 of its protocol over UDP."""

import base64
import json
import secrets
import socket
from typing import Any

EUI = bytes.fromhex("00800000a0001234")
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_ACK = 0, 1, 2, 4
ANSWER_S, TRIES = 1.0, 60  # of a loaded machine


def received(payload: bytes, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return an element of `rxpk`, as lora_pkt_fwd writes it."""
    return {
        "tmst": secrets.randbelow(1 << 32),
        "chan": 2,
        "rfch": 0,
        "freq": 868.1,
        "stat": 1,
        "modu": "LORA",
        "datr": "SF7BW125",
        "codr": "4/5",
        "lsnr": -7.2,
        "rssi": -117,
        "size": len(payload),
        "data": base64.b64encode(payload).decode(),
        **changes,
    }


def push_data(*packets: dict[str, Any], eui: bytes = EUI, version: int = 2, **more: Any) -> bytes:  # noqa: ANN401
    """Return a PUSH_DATA datagram. more: further members of its JSON object, such as `stat`."""
    content = {**({"rxpk": packets} if packets else {}), **more}
    return bytes((version, *secrets.token_bytes(2), PUSH_DATA)) + eui + json.dumps(content).encode()


class Forwarder:
    """A packet forwarder that sends to a port of loopback."""

    def __init__(self, port: int, eui: bytes = EUI) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(ANSWER_S)
        self.eui = eui

    def send(self, *packets: dict[str, Any], **more: Any) -> bytes:  # noqa: ANN401
        """Send packets until they are acknowledged, and return the datagram."""
        return self.exchange(push_data(*packets, eui=self.eui, **more), PUSH_ACK)

    def pull(self) -> None:
        """Open the way back, as a forwarder does every few seconds."""
        self.exchange(bytes((2, *secrets.token_bytes(2), PULL_DATA)) + self.eui, PULL_ACK)

    def exchange(self, datagram: bytes, answer: int) -> bytes:
        """Send a datagram, again if need be, until its acknowledgement comes."""
        for _ in range(TRIES):
            self._socket.send(datagram)
            try:
                assert self._socket.recv(100) == datagram[:3] + bytes((answer,))
                return datagram
            except TimeoutError:
                pass
        raise AssertionError("no acknowledgement")

    def throw(self, datagram: bytes) -> None:
        """Send a datagram that gets no answer."""
        self._socket.send(datagram)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
