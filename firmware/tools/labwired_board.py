"""A board in the simulator labwired, its serial line on TCP.

    python -m firmware.tools.labwired_board esp32c3 firmware.elf 5000

labwired (PyPI) executes the chip's instructions one by one, 1 to 3 million a second here, on models of its
peripherals; firmware/labwired/ says which. Its time stands still while nobody is connected.
"""

import json
import select
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

CHIPS = Path(__file__).resolve().parents[1] / "labwired"
MAX_PORT = 65535
INTERRUPTED = 130
SLICE = "1ms"  # of the board's time, between two looks at the line


class Uart(NamedTuple):
    """The serial port of a chip."""

    name: str
    interrupt: "ReceiveInterrupt | None" = None


class ReceiveInterrupt(NamedTuple):
    """An interrupt that labwired's model never raises, though a byte waits: raised from here, byte by byte."""

    status: int  # register that tells of a byte
    byte_waits: int  # its bit
    pend: int  # register that raises the interrupt
    line: int  # its bit
    handled_within: str


UARTS = {
    "esp32c3": Uart("uart0"),
    # RM0090 30.6.1 (USART1_SR.RXNE), ARMv7-M ARM B3.4.5 (NVIC_ISPR1, interrupt 37)
    "stm32f405": Uart("usart1", ReceiveInterrupt(0x40011000, 1 << 5, 0xE000E204, 1 << 37 - 32, "4us")),
}


class Simulation:
    """A board whose time advances only when asked."""

    def __init__(self, chip: str, elf: str) -> None:
        import labwired  # not in every environment: main() tells

        self._uart = UARTS[chip]
        with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
            system = Path(folder) / "system.yaml"  # JSON is YAML
            system.write_text(json.dumps({"name": chip, "chip": str(CHIPS / f"{chip}.yaml")}), encoding="utf-8")
            self._simulator = labwired.Sim(elf, system=system, uart=self._uart.name)

    def advance(self, received: bytes) -> bytes:
        """Runs for a slice of time with these bytes on their way to the board; returns what the board sent."""
        if received:
            self._simulator.send_bytes(received)
        interrupt = self._uart.interrupt
        while interrupt and self._simulator.read_u32(interrupt.status) & interrupt.byte_waits:
            self._simulator.write_u32(interrupt.pend, interrupt.line)
            self._simulator.run_for(interrupt.handled_within)
        self._simulator.run_for(SLICE)
        return self._simulator.read_uart_bytes()


def serve(board: Simulation, client: socket.socket) -> None:
    """Joins the board's line to a connection until the other end closes it."""
    while True:
        received = b""
        if select.select([client], [], [], 0)[0]:
            received = client.recv(4096)
            if not received:
                return
        if said := board.advance(received):
            client.sendall(said)


def listen(board: Simulation, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            with client, suppress(OSError):  # gone in the middle: the next one is as welcome
                serve(board, client)


def main(arguments: list[str]) -> None:
    """Serves one connection after the other, until the process is ended. One line when the simulation fails."""
    match arguments:
        case [chip, elf, port] if chip in UARTS and port.isdecimal() and 0 < int(port) <= MAX_PORT:
            pass
        case _:
            sys.exit(f"inkling: what it takes is CHIP ELF PORT; CHIP is {' or '.join(UARTS)}, PORT 1..{MAX_PORT}")
    try:
        listen(Simulation(chip, elf), int(port))
    except ModuleNotFoundError:
        sys.exit("inkling: labwired is not installed here: pip install -r requirements.txt")
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"inkling: labwired: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main(sys.argv[1:])
