"""Packets as gateways hand them on: over MQTT, from Semtech packet forwarders, from a line."""

import base64
import binascii
from dataclasses import dataclass

from host.site.records import Json, optional_number
from wire.checks import ContentError, is_int, require, shown
from wire.lora import MAX_PACKET_BYTES


@dataclass(frozen=True)
class GatewayPacket:
    """One packet as one gateway received it, damaged or not."""

    site: str
    gateway: str
    boot: str  # of the gateway's process: `number` begins anew with it
    number: int  # counts the packets of the gateway, so that gaps and repetitions are seen
    time: float  # of its end, Unix time in seconds by the gateway's clock
    payload: bytes  # at most MAX_PACKET_BYTES
    crc_ok: bool | None = None  # by the radio's own CRC; None where it is not known
    snr_db: float | None = None
    rssi_dbm: float | None = None

    @property
    def id(self) -> str:
        """The same for a packet that is delivered twice, and for no other packet of the site."""
        return f"{self.gateway}-{self.boot}-{self.number}"

    def as_json(self) -> Json:
        """Return the JSON object that is published."""
        return {
            "kind": "packet",
            "site": self.site,
            "gateway": self.gateway,
            "boot": self.boot,
            "number": self.number,
            "time": self.time,
            "payload": base64.b64encode(self.payload).decode(),
            "crc_ok": self.crc_ok,
            "snr_db": self.snr_db,
            "rssi_dbm": self.rssi_dbm,
        }

    @classmethod
    def from_json(cls, values: object) -> "GatewayPacket":
        """Return the packet that a JSON object holds, which may come from anywhere. Raises ContentError."""
        if not isinstance(values, dict) or values.get("kind") != "packet":
            raise ContentError(f"{shown(values)} is no packet")
        for name in ("site", "gateway", "boot", "payload"):
            require(isinstance(values.get(name), str), f"{name} is {shown(values.get(name))}")
        number, crc_ok, time = values.get("number"), values.get("crc_ok"), optional_number(values, "time")
        if not is_int(number) or number < 0 or time is None or not (crc_ok is None or isinstance(crc_ok, bool)):
            raise ContentError(f"number, time or crc_ok is {shown((number, time, crc_ok))}")
        try:
            payload = base64.b64decode(values["payload"], validate=True)
        except (binascii.Error, ValueError):
            raise ContentError(f"payload is {shown(values['payload'])}, not base64") from None
        require(len(payload) <= MAX_PACKET_BYTES, f"payload has {len(payload)} bytes")
        snr_db, rssi_dbm = optional_number(values, "snr_db"), optional_number(values, "rssi_dbm")
        site, gateway, boot = values["site"], values["gateway"], values["boot"]
        return cls(site, gateway, boot, number, time, payload, crc_ok, snr_db, rssi_dbm)
