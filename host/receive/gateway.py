"""What comes through a gateway: a radio's packets, each in a control frame that the gateway counts."""

from host.receive.events import Event
from host.receive.radio import PacketReceiver
from wire.control import REPLY_BIT, Control, Opcode, Packet

COUNTS = 256


class Gateways:
    """The gateways on one line: hand it the control frames that come, and it gives back what their packets hold.

    A gateway that starts again looks like losses, as a sender does; a packet that comes twice counts once.
    """

    def __init__(self, receiver: PacketReceiver) -> None:
        self._receiver = receiver
        self._last: dict[int, int] = {}  # by gateway, the newest packet's count
        self.packets = 0
        self.lost = 0  # between gateway and host, by the gaps in the counts

    @property
    def strangers(self) -> int:
        """Packets that were no frame of any model."""
        return self._receiver.strangers

    def take(self, control: Control) -> Event | None:
        """The event in a PACKET; None for any other control frame, and for a packet that is not ours."""
        if control.opcode != Opcode.PACKET | REPLY_BIT or len(control.data) < Packet.FORMAT.size:
            return None
        gateway = control.header.device
        last = self._last.get(gateway, control.request - 1)
        if last == control.request:
            return None
        self.lost += (control.request - last - 1) % COUNTS
        self._last[gateway] = control.request
        self.packets += 1
        packet = Packet.unpack(control.data)
        return self._receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm)
