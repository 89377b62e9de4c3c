"""Resets, watchdog and counters of the Arduino port, on mocked cores (tests/firmware/arduino)."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.ports import mock_arduino
from tests.firmware.ports.mock_arduino import FIRMWARE, LIBRARIES, MOCKS, SANITIZERS
from tests.firmware.ports.test_stuck import Reset
from wire.crc import crc32

pytestmark = pytest.mark.emulated

BLOCK = 112
APPLICATION = Path(__file__).with_name("reset_app.cpp")
NO_KEY, VOLATILE, PERMANENT, LOST = range(4)
MARK = 0x494E4B31
CRASH, DEEP_SLEEP = 6, 7
# Base of the log in a flash of 1 MB from 08000000 on, and the distance of its pages.
LOGS = {"nucleo_f446re": (0x40000, 0x20000), "nucleo_l476rg": (0xFE000, 0x800), "nucleo_wl55jc": (0x3E000, 0x800)}
SLOTS = {"nucleo_f446re": 1024, "nucleo_l476rg": 128, "nucleo_wl55jc": 128}
ESP32, H7 = "esp32dev", "nucleo_h743zi"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the function program(environment, *flags) that links reset_app.cpp with a port, once."""
    built: dict[tuple[str, ...], Path] = {}

    def build(name: str, *flags: str) -> Path:
        key = (name, *flags)
        if key not in built:
            built[key] = link(name, tmp_path_factory.mktemp("resets") / "firmware", *flags)
        return built[key]

    return build


def link(name: str, path: Path, *flags: str, application: Path = APPLICATION) -> Path:
    core = mock_arduino.core(name)
    port = FIRMWARE / "ports" / "arduino" / core
    sources = [file for file in port.glob("*.cpp") if file.stem != "serial"]
    machine = ["machine", "serial", core, *(["stm32_flash"] if core == "stm32" else [])]
    sources += [MOCKS / "machine" / f"{part}.cpp" for part in machine]
    sources.append(application)
    library = [FIRMWARE / "lib" / "counter" / file for file in ("counter.c", "flash_log.c")]
    library.append(FIRMWARE / "lib" / "wire" / "src" / "wire" / "crc.c")
    headers = [*LIBRARIES, FIRMWARE / "lib" / "wire" / "src", FIRMWARE / "lib" / "board", port, MOCKS / core]
    common = [*SANITIZERS, *mock_arduino.macros(name), *flags, *(f"-I{folder}" for folder in headers)]
    common.append(f"-I{MOCKS / 'machine'}")
    objects = []
    for source in library:
        objects.append(path.with_name(f"{source.stem}.o"))
        subprocess.run(["gcc", "-std=c11", *common, "-c", source, "-o", objects[-1]], check=True)
    subprocess.run(["g++", "-std=gnu++17", *common, *sources, *objects, "-o", path], check=True)
    return path


def run(program: Path, **variables: object) -> dict[str, int]:
    """Start a board; return what it prints: cause, kept, ok, boots and value."""
    environment = {f"INKLING_{name.upper()}": str(value) for name, value in variables.items()}
    done = subprocess.run([program], env=environment, check=True, capture_output=True, text=True, timeout=60)
    return {name: int(value) for name, value in (line.split() for line in done.stdout.splitlines())}


STM32_CAUSES = {
    "nucleo_f446re": {0x0E000000: 1, 0x06000000: 5, 0x04000000: 2, 0x14000000: 3, 0x24000000: 4, 0x44000000: 4, 0: 0},
    "nucleo_l476rg": {0x0C000000: 1, 0x04000000: 2, 0x14000000: 3, 0x24000000: 4, 0: 0},
    "nucleo_h743zi": {0x00E00000: 1, 0x00600000: 5, 0x00400000: 2, 0x01400000: 3, 0x04400000: 4, 0x10400000: 4},
}


@pytest.mark.parametrize(
    ("name", "flags", "cause"),
    [(name, flags, cause) for name, causes in STM32_CAUSES.items() for flags, cause in causes.items()],
)
def test_stm32_reads_the_cause_from_its_flags(program: Callable[..., Path], name: str, flags: int, cause: int) -> None:
    assert run(program(name), reset=f"{flags:x}")["cause"] == cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    list(enumerate([Reset.UNKNOWN, 1, 2, 3, CRASH, 4, 4, 4, DEEP_SLEEP, 5, Reset.UNKNOWN])),
)
def test_esp32_translates_the_cores_reason(program: Callable[..., Path], reason: int, cause: int) -> None:
    assert run(program(ESP32), reset=reason)["cause"] == cause


def test_fault_on_an_stm32_is_a_crash_after_the_reset(program: Callable[..., Path], tmp_path: Path) -> None:
    """HardFault_Handler leaves a mark in a backup register."""
    log = tmp_path / "log"
    run(program("nucleo_f446re"), fault=1, log=log)
    assert log.read_text().splitlines()[-2:] == ["backup 3 43524153", "reset"]
    state = run(program("nucleo_f446re"), reset="14000000", backup="2=2a,3=43524153")
    assert (state["cause"], state["kept"]) == (CRASH, 0x2A)


@pytest.mark.parametrize("name", ["nucleo_f446re", H7])
def test_stm32_starts_its_watchdog_with_the_longest_time_out(program: Callable[..., Path], name: str) -> None:
    """Prescaler 6 (256), reload 4095; progress writes the key AAAA."""
    state = run(program(name))
    assert (state["prescaler"], state["reload"], state["key"]) == (6, 0xFFF, 0xAAAA)


@pytest.mark.parametrize("name", LOGS)
def test_stm32_keeps_its_counters_in_its_last_pages(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    flash = tmp_path / "flash"
    base, distance = LOGS[name]
    for boots in range(1, 2 + SLOTS[name] // 2):  # up to the next page
        state = run(program(name), flash=flash) if boots < 4 or boots > SLOTS[name] // 2 - 2 else None
        if state is None:
            write(flash, base + 16 * (2 * boots - 2), BLOCK * boots, boots)
            continue
        assert state == state | {"ok": 1, "boots": boots, "value": BLOCK * (boots - 1)}
    data = flash.read_bytes()
    assert record(data, base) == (BLOCK, 1)
    assert record(data, base + distance) == (BLOCK * boots, boots)
    assert data[:base] == b"\xff" * base


def record(data: bytes, offset: int) -> tuple[int, int]:
    limit, boots, crc, mark = struct.unpack_from("<4I", data, offset)
    assert (crc, mark) == (crc32(struct.pack(">2I", limit, boots)), MARK)
    return limit, boots


def write(flash: Path, offset: int, limit: int, boots: int) -> None:
    crc = crc32(struct.pack(">2I", limit, boots))
    with flash.open("r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<4I", limit, boots, crc, MARK))


def test_esp32_keeps_its_counters_in_its_storage(program: Callable[..., Path], tmp_path: Path) -> None:
    for boots in (1, 2, 3):
        state = run(program(ESP32), flash=tmp_path / "flash")
        assert state == state | {"ok": 1, "boots": boots, "value": BLOCK * (boots - 1)}


@pytest.mark.parametrize("name", [ESP32, *LOGS])
def test_key_is_kept_beside_the_counter(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    flash = tmp_path / "flash"
    state = run(program(name), flash=flash, key="A" * 16)
    assert state == state | {"set": 1, "state": PERMANENT, "ok": 1, "value": BLOCK}
    for boots, key in ((2, ""), (3, "B" * 16), (4, "B" * 16), (5, "")):
        state = run(program(name), flash=flash, **({"key": key} if key else {}))
        first = ord("A" if boots == 2 else "B")
        assert state == state | {"state": PERMANENT, "first": first, "ok": 1, "boots": boots}
    state = run(program(name), flash=flash, read_only=1, key="C" * 16)
    assert state == state | {"set": 0, "state": PERMANENT, "first": ord("B"), "ok": 0}


@pytest.mark.parametrize("name", [ESP32, *LOGS, H7])
def test_key_without_permanent_memory_is_volatile(program: Callable[..., Path], name: str) -> None:
    state = run(program(name), read_only=1, key="A" * 16)
    assert state == state | {"set": 1, "state": VOLATILE, "ok": 1, "boots": 0}
    assert run(program(name), read_only=1)["state"] == NO_KEY


def test_esp32_has_the_old_or_the_new_key_wherever_power_fails(program: Callable[..., Path], tmp_path: Path) -> None:
    """A boot writes the numbers; a key its entry, then the numbers. Then no value comes twice with one key."""
    for writes in range(4):
        flash = tmp_path / f"flash{writes}"
        first = run(program(ESP32), flash=flash, key="A" * 16)
        run(program(ESP32), flash=flash, key="B" * 16, writes=writes)
        expected = ord("B" if writes == 3 else "A")
        values = [first["value"]]
        for again in (0, 1, None, None):
            state = run(program(ESP32), flash=flash, **({} if again is None else {"writes": again}))
            if again is None:
                assert state == state | {"state": PERMANENT, "first": expected, "ok": 1}
                values.append(state["value"])
        assert values == sorted(set(values))


def test_esp32_removes_a_key_that_outlived_its_numbers(program: Callable[..., Path], tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    run(program(ESP32), flash=flash, key="A" * 16)
    (tmp_path / "flash.numbers").unlink()
    state = run(program(ESP32), flash=flash, read_only=1)
    assert state == state | {"state": LOST, "ok": 0}
    for _ in range(5):  # also when the numbers have passed the key's limit
        state = run(program(ESP32), flash=flash)
        assert state == state | {"state": NO_KEY, "ok": 1}


@pytest.mark.parametrize("name", [ESP32, *LOGS])
def test_counter_is_not_unique_on_memory_that_cannot_be_written(
    program: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    run(program(name), flash=tmp_path / "flash")
    state = run(program(name), flash=tmp_path / "flash", read_only=1)
    assert state == state | {"ok": 0, "boots": 0}


def test_counter_is_not_unique_where_the_program_needs_the_pages(program: Callable[..., Path], tmp_path: Path) -> None:
    fits = program("nucleo_f446re", "-DMOCK_PROGRAM_END=0x08040000")
    assert run(fits, flash=tmp_path / "flash")["ok"] == 1
    before = (tmp_path / "flash").read_bytes()
    large = program("nucleo_f446re", "-DMOCK_PROGRAM_END=0x08040001")
    assert run(large, flash=tmp_path / "flash")["ok"] == 0
    assert (tmp_path / "flash").read_bytes() == before


def test_counter_is_not_unique_on_an_stm32h7(program: Callable[..., Path]) -> None:
    assert run(program(H7))["ok"] == 0


@pytest.mark.parametrize("name", ["nucleo_l476rg", "nucleo_wl55jc"])
def test_stm32_goes_on_after_a_failed_error_correction_only(
    program: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """The chip raises an NMI when it reads a word whose writing was cut. Any other NMI is a fault."""
    assert run(program(name), nmi="correction")["continued"] == 1
    state = run(program(name), nmi="other", log=tmp_path / "log")
    assert "continued" not in state
    assert (tmp_path / "log").read_text().splitlines()[-2:] == ["backup 3 43524153", "reset"]
