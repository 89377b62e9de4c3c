"""Boards that need no hardware: the firmware in QEMU, in the simulator labwired, and as a process of this machine.

They are context managers that yield a pyserial URL and end only the process they started:

    with qemu(elf) as port:
        line = serial.serial_for_url(port, timeout=2)
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import NamedTuple

from wire.control import Opcode, command
from wire.errors import InklingError


class Machine(NamedTuple):
    """How QEMU runs the firmware of one environment of platformio.ini."""

    program: str
    package: str  # Debian's, that holds the program
    arguments: tuple[str, ...]


MACHINES = {
    "qemu_stm32f405": Machine("qemu-system-arm", "qemu-system-arm", ("-machine", "netduinoplus2")),
    "qemu_rv32imc": Machine(
        "qemu-system-riscv32",
        "qemu-system-misc",
        ("-machine", "virt", "-bios", "none", "-cpu", "rv32,a=off,f=off,d=off,h=off,s=off,u=off"),
    ),
}
CHIPS = {"sim_esp32c3": "esp32c3", "sim_stm32f405": "stm32f405"}  # labwired's, by environment
START_SECONDS = 20.0
POLL_SECONDS = 0.05
ASK_SECONDS = 0.25
SIMULATOR_ASK_SECONDS = 2.0  # labwired takes up to a second for an answer
NANOSECONDS_PER_INSTRUCTION = 1  # of virtual time, by -icount shift=0


class EmulatorError(InklingError):
    """An emulated board did not start; the message is one line that says why."""


@contextmanager
def qemu(
    elf: str | Path, environment: str = "qemu_stm32f405", *, count_instructions: bool = False, port: int = 0
) -> Iterator[str]:
    """Boots firmware.elf in QEMU; yields the URL of its serial port, on TCP (port 0: any free one).

    environment: what it was built for, a key of MACHINES.
    count_instructions: each instruction takes 1 ns of the board's time, so that its cycle counts tell
    instructions (see `instructions`); slower. EmulatorError when QEMU is missing or does not come up.
    """
    machine = MACHINES[environment]
    if shutil.which(machine.program) is None:
        raise EmulatorError(f"{machine.program} is not installed (Debian: apt install {machine.package})")
    _need_file(elf)
    port = port or free_port()
    arguments = [machine.program, *machine.arguments, "-kernel", str(elf), "-display", "none", "-monitor", "none"]
    arguments += ["-serial", f"tcp:127.0.0.1:{port},server,nowait"]
    if count_instructions:
        arguments += ["-icount", "shift=0"]
    with _process(arguments) as (child, log):
        _await_answer(child, log, port)
        yield f"socket://localhost:{port}"


@contextmanager
def labwired(elf: str | Path, environment: str = "sim_esp32c3", *, port: int = 0) -> Iterator[str]:
    """Boots firmware.elf in labwired; yields the URL of its serial port, on TCP (port 0: any free one).

    environment: what it was built for, a key of CHIPS. It counts instructions as cycles, one each, and is some fifty
    times slower than QEMU. EmulatorError when labwired is missing or does not come up.
    """
    if util.find_spec("labwired") is None:
        raise EmulatorError("labwired is not installed here: pip install -r requirements.txt")
    _need_file(elf)
    port = port or free_port()
    bridge = str(Path(__file__).with_name("labwired_board.py"))
    with _process([sys.executable, bridge, CHIPS[environment], str(elf), str(port)]) as (child, log):
        _await_answer(child, log, port, SIMULATOR_ASK_SECONDS)
        yield f"socket://localhost:{port}"


@contextmanager
def native(program: str | Path, *arguments: str, port: int = 0) -> Iterator[str]:
    """Runs a native build; yields the URL of its serial port, on TCP (port 0: any free one).

    arguments: more of the program's own, such as "--device", "3".
    """
    _need_file(program)
    port = port or free_port()
    with _process([str(program), "--port", f"tcp:{port}", *arguments]) as (child, log):
        _await_answer(child, log, port)
        yield f"socket://localhost:{port}"


def instructions(cycles: int, clock_hz: int) -> int:
    """Instructions that QEMU ran while the board counted `cycles`, if it was booted with count_instructions.

    The boards' clocks follow QEMU's virtual time: on the STM32F405, at 168 MHz, one instruction is 0.168 cycles; on
    RV32IMC, at a nominal 1 GHz, it is one.
    """
    return round(cycles * 1e9 / clock_hz / NANOSECONDS_PER_INSTRUCTION)


def _need_file(path: str | Path) -> None:
    if not Path(path).is_file():
        raise EmulatorError(f"no firmware at {path}: build it first")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(arguments: list[str]) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Starts a process with its output in a file, and ends it, and it alone, on the way out."""
    with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
        log = Path(folder) / "log.txt"
        with log.open("wb") as output:
            child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield child, log
        finally:
            child.terminate()
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _await_answer(child: subprocess.Popen, log: Path, port: int, ask_seconds: float = ASK_SECONDS) -> None:
    """Asks INFO until the firmware answers: what reaches a UART before it is set up is lost."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines() or [f"exit {child.returncode}"]
            raise EmulatorError(f"the board ended at once: {said[-1]}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=ask_seconds) as line:
                if _answers(line, deadline):
                    return
        except OSError:  # nobody listens yet, or nobody takes what is sent
            pass
        time.sleep(POLL_SECONDS)
    raise EmulatorError(f"the board did not answer within {START_SECONDS:.0f} s")


def _answers(line: socket.socket, deadline: float) -> bool:
    answered = False
    while time.monotonic() < deadline:
        line.sendall(command(Opcode.INFO, 0))
        try:
            while line.recv(4096):  # until it falls silent: all answers are the asker's to read
                answered = True
            return False
        except TimeoutError:
            if answered:
                return True
    return False
