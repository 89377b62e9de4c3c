"""Run a board in the simulator labwired, with its serial line on TCP.

    python -m firmware.tools.labwired_board esp32c3 firmware.elf 5000

labwired (PyPI) executes the chip's instructions one by one, 1 to 3 million per second, on models of its peripherals;
firmware/labwired/ configures them. Simulated time stops while no client is connected. Port 0 is any free one; the
program prints the port's URL.
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
SLICE = "1ms"  # of simulated time, between two polls of the line


class Uart(NamedTuple):
    """The serial port of a chip."""

    name: str
    interrupt: "ReceiveInterrupt | None" = None


class ReceiveInterrupt(NamedTuple):
    """An interrupt that labwired's model never raises although a byte is pending: raised from here for each byte."""

    status: int  # register that shows a pending byte
    byte_pending: int  # its bit
    pend: int  # register that raises the interrupt
    line: int  # its bit
    handled_within: str


UARTS = {
    "esp32c3": Uart("uart0"),
    # RM0090 30.6.1 (USART1_SR.RXNE), ARMv7-M ARM B3.4.5 (NVIC_ISPR1, interrupt 37)
    "stm32f405": Uart("usart1", ReceiveInterrupt(0x40011000, 1 << 5, 0xE000E204, 1 << 37 - 32, "4us")),
}


class Simulation:
    """A board whose time advances only when `advance` is called."""

    def __init__(self, chip: str, elf: str) -> None:
        import labwired  # optional: main() reports that it is missing

        self._uart = UARTS[chip]
        with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
            system = Path(folder) / "system.yaml"  # JSON is YAML
            system.write_text(json.dumps({"name": chip, "chip": str(CHIPS / f"{chip}.yaml")}), encoding="utf-8")
            self._simulator = labwired.Sim(elf, system=system, uart=self._uart.name)

    def advance(self, received: bytes) -> bytes:
        """Run for one slice of time while the board receives these bytes; return what the board sent."""
        if received:
            self._simulator.send_bytes(received)
        interrupt = self._uart.interrupt
        while interrupt and self._simulator.read_u32(interrupt.status) & interrupt.byte_pending:
            self._simulator.write_u32(interrupt.pend, interrupt.line)
            self._simulator.run_for(interrupt.handled_within)
        self._simulator.run_for(SLICE)
        return self._simulator.read_uart_bytes()

    def read_u32(self, address: int) -> int:
        """Return a word of the board's memory."""
        return self._simulator.read_u32(address)


def serve(board: Simulation, client: socket.socket) -> None:
    """Connect the board's line to a client until the client closes the connection."""
    while True:
        received = b""
        if select.select([client], [], [], 0)[0]:
            received = client.recv(4096)
            if not received:
                return
        if sent := board.advance(received):
            client.sendall(sent)


def listen(board: Simulation, port: int) -> None:
    """Print the port's URL and serve one client after the other."""
    with socket.create_server(("127.0.0.1", port)) as server:
        print(f"port socket://localhost:{server.getsockname()[1]}", flush=True)
        while True:
            client, _ = server.accept()
            with client, suppress(OSError):  # a client that disconnects does not end the board
                serve(board, client)


def main(arguments: list[str]) -> None:
    """Run until the process is ended. Exits with one line if the simulation fails."""
    match arguments:
        case [chip, elf, port] if chip in UARTS and port.isdecimal() and int(port) <= MAX_PORT:
            pass
        case _:
            sys.exit(f"inkling: arguments are CHIP ELF PORT; CHIP is {' or '.join(UARTS)}, PORT 0..{MAX_PORT}")
    try:
        listen(Simulation(chip, elf), int(port))
    except ModuleNotFoundError:
        sys.exit("inkling: labwired is not installed; the extra 'dev' has it")
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"inkling: labwired: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main(sys.argv[1:])
