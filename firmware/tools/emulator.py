"""Run firmware without hardware: in QEMU, in the simulator labwired, or as a native process.

Each function is a context manager that yields a pyserial URL and ends only the process that it started:

    with qemu(elf) as url:
        line = serial.serial_for_url(url, timeout=2)
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from wire.control import REPLY_BIT, Opcode, command, parse_control
from wire.errors import InklingError, install_hint
from wire.frame import SYNC


class Machine(NamedTuple):
    """QEMU's program and arguments for the firmware of one environment of platformio.ini."""

    program: str
    package: str  # Debian's package of the program
    arguments: tuple[str, ...]


MACHINES = {
    "qemu_stm32f405": Machine("qemu-system-arm", "qemu-system-arm", ("-machine", "netduinoplus2")),
    "qemu_rv32imc": Machine(
        "qemu-system-riscv32",
        "qemu-system-misc",
        ("-machine", "virt", "-bios", "none", "-cpu", "rv32,a=off,f=off,d=off,h=off,s=off,u=off"),
    ),
}
CHIPS = {"sim_esp32c3": "esp32c3", "sim_stm32f405": "stm32f405"}  # environment -> labwired's chip
START_SECONDS = 60.0
POLL_SECONDS = 0.05
ASK_SECONDS = 0.25
SIMULATOR_ASK_SECONDS = 2.0  # labwired takes up to a second to answer
SILENCE_SECONDS = 1.0  # after which a test program, whose answers are not replies, has finished answering
NANOSECONDS_PER_INSTRUCTION = 1  # of virtual time, by -icount shift=0
# Request numbers whose INFO commands contain no ASCII letter: test programs take letters for commands.
ASK_REQUESTS = (3, 5, 7, 27, 39, 56, 63, 93)
_PRINTED_PORT = re.compile(r"^port socket://localhost:(\d+)$", re.MULTILINE)


class EmulatorError(InklingError):
    """An emulated board did not start."""


@contextmanager
def qemu(
    elf: str | Path, environment: str = "qemu_stm32f405", *, count_instructions: bool = False, port: int = 0
) -> Iterator[str]:
    """Boot firmware.elf in QEMU and yield the URL of its serial port, a TCP port (0: any free one).

    `environment` is what the file was built for, a key of MACHINES. With `count_instructions` each instruction takes
    1 ns of the board's time, so cycle counts can be converted to instructions (see `instructions`); this is slower.
    Raises EmulatorError if QEMU is missing or does not start.
    """
    machine = MACHINES[environment]
    if shutil.which(machine.program) is None:
        raise EmulatorError(f"{machine.program} is not installed (Debian: apt install {machine.package})")
    _require_file(elf)
    arguments = [machine.program, *machine.arguments, "-kernel", str(elf), "-display", "none", "-monitor", "none"]
    if count_instructions:
        arguments += ["-icount", "shift=0"]
    with socket.create_server(("127.0.0.1", port)) as server:  # QEMU inherits it: no other process can take the port
        line = f"socket,id=line,fd={server.fileno()},server=on,wait=off"
        arguments += ["-chardev", line, "-serial", "chardev:line"]
        with _process(arguments, server.fileno()) as (child, log):
            port = server.getsockname()[1]
            server.close()
            _await_answer(child, log, port)
            yield _url(port)


@contextmanager
def labwired(elf: str | Path, environment: str = "sim_esp32c3", *, port: int = 0) -> Iterator[str]:
    """Boot firmware.elf in labwired and yield the URL of its serial port, a TCP port (0: any free one).

    `environment` is what the file was built for, a key of CHIPS. labwired counts one cycle per instruction and is
    about fifty times slower than QEMU. Raises EmulatorError if labwired is missing or does not start.
    """
    if util.find_spec("labwired") is None:
        raise EmulatorError(f"labwired is not installed; {install_hint('dev')}")
    _require_file(elf)
    bridge = str(Path(__file__).with_name("labwired_board.py"))
    with _process([sys.executable, bridge, CHIPS[environment], str(elf), str(port)]) as (child, log):
        port = _printed_port(child, log)
        _await_answer(child, log, port, SIMULATOR_ASK_SECONDS)
        yield _url(port)


@contextmanager
def native(program: str | Path, *arguments: str, port: int = 0) -> Iterator[str]:
    """Run a native build and yield the URL of its serial port, a TCP port (0: any free one).

    `arguments` are further arguments of the program, such as "--device", "3".
    """
    _require_file(program)
    with _process([str(program), "--port", f"tcp:{port}", *arguments]) as (child, log):
        port = _printed_port(child, log)
        _await_answer(child, log, port)
        yield _url(port)


def instructions(cycles: int, clock_hz: int) -> int:
    """Convert the cycles of a board that QEMU booted with `count_instructions` to instructions.

    A board's clock follows QEMU's virtual time: on the STM32F405, at 168 MHz, one instruction is 0.168 cycles; on
    RV32IMC, at a nominal 1 GHz, it is one.
    """
    return round(cycles * 1e9 / clock_hz / NANOSECONDS_PER_INSTRUCTION)


def _require_file(path: str | Path) -> None:
    if not Path(path).is_file():
        raise EmulatorError(f"no firmware at {path}: build it first")


def _url(port: int) -> str:
    return f"socket://localhost:{port}"


@contextmanager
def _process(arguments: Sequence[str], *inherited: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a process with its output in a file, and end that process only."""
    with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        log = Path(folder) / "log.txt"
        with log.open("wb") as output:
            child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=inherited
            )
        try:
            yield child, log
        finally:
            child.terminate()
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _require_running(child: subprocess.Popen[bytes], log: Path) -> None:
    if child.poll() is not None:
        printed = log.read_text(errors="replace").strip().splitlines() or [f"exit status {child.returncode}"]
        raise EmulatorError(f"the board ended at once: {printed[-1]}")


def _printed_port(child: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the process prints its port, and return it."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _require_running(child, log)
        if printed := _PRINTED_PORT.search(log.read_text(errors="replace")):
            return int(printed[1])
        time.sleep(POLL_SECONDS / 10)
    raise EmulatorError(f"the board did not open its port within {START_SECONDS:.0f} s")


def _await_answer(child: subprocess.Popen[bytes], log: Path, port: int, ask_seconds: float = ASK_SECONDS) -> None:
    """Send INFO until the firmware answers: a UART loses what it receives before it is set up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _require_running(child, log)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=ask_seconds) as line:
                if _answers(line, deadline, ask_seconds):
                    return
        except OSError:  # the port is not open yet, or the board does not read
            pass
        time.sleep(POLL_SECONDS)
    raise EmulatorError(f"the board did not answer within {START_SECONDS:.0f} s")


def _answers(line: socket.socket, deadline: float, ask_seconds: float) -> bool:
    """Return True once the reply to the last INFO has come, so that no late reply reaches the next connection.

    A test program answers a command with bytes of its own: it counts once it has been silent for SILENCE_SECONDS.
    """
    received = b""
    for request in cycle(ASK_REQUESTS):
        if time.monotonic() >= deadline:
            return False
        line.sendall(command(Opcode.INFO, request))
        line.settimeout(ask_seconds)
        try:
            while data := line.recv(4096):
                received += data
                if _has_reply(received, request):
                    return True
                line.settimeout(max(ask_seconds, SILENCE_SECONDS))
            return False
        except TimeoutError:
            if received and SYNC not in received:
                return True
    return False


def _has_reply(received: bytes, request: int) -> bool:
    replies = (parse_control(part) for part in received.split(SYNC)[1:])
    return any(reply and (reply.opcode, reply.request) == (Opcode.INFO | REPLY_BIT, request) for reply in replies)
