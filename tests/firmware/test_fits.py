"""Which boards an encoder fits: the table of boards, the line that users read, and the estimate of what it needs."""

import subprocess
import sys

import pytest

from firmware.tools import board_table
from firmware.tools.boards import BOARDS, fits, is_too_small
from tests.firmware import random_bundle
from tests.firmware.ports import mock_arduino
from tests.support import ROOT


def test_table_has_every_board_of_platformio_ini() -> None:
    assert set(BOARDS) == {name.removesuffix("_gateway") for name in mock_arduino.BOARDS}


def test_table_leaves_room_for_an_encoder_on_every_board() -> None:
    for name, board in BOARDS.items():
        assert 50_000 < board.encoder_ram_bytes < board.chip.ram_bytes, name
        assert 150_000 < board.encoder_flash_bytes < board.flash_bytes, name


@pytest.mark.parametrize(
    ("ram", "flash", "line"),
    [
        (24_001, 47_999, "needs about 25 kB of RAM and 48 kB of flash: fits every board of platformio.ini"),
        (600_000, 1, "needs about 600 kB of RAM and 1 kB of flash: fits no board of platformio.ini"),
        (57_537, 0, "needs about 58 kB of RAM and 0 kB of flash: fits esp32dev, "),
    ],
)
def test_fits_gives_one_line(ram: int, flash: int, line: str) -> None:
    assert str(fits(ram, flash)).startswith(line)
    assert "\n" not in str(fits(ram, flash))


def test_fits_parts_the_boards_at_their_limits() -> None:
    board = BOARDS["nucleo_l476rg"]
    for ram, flash, room in (
        (board.encoder_ram_bytes, board.encoder_flash_bytes, True),
        (board.encoder_ram_bytes + 1, 0, False),
        (0, board.encoder_flash_bytes + 1, False),
    ):
        fit = fits(ram, flash)
        assert ("nucleo_l476rg" in fit.fitting) == room
        assert ("nucleo_l476rg" in fit.too_small) != room
        assert is_too_small("nucleo_l476rg", ram, flash) != room
        assert {*fit.fitting, *fit.too_small} == set(BOARDS)
    assert str(fits(board.encoder_ram_bytes + 1, 0)).endswith("; not nucleo_l476rg, nucleo_wl55jc")


def test_is_too_small_knows_gateways_and_leaves_other_environments_alone() -> None:
    assert is_too_small("nucleo_wl55jc_gateway", 60_000, 0)
    assert not is_too_small("qemu_stm32f405", 1 << 30, 1 << 30)


def test_boards_imports_neither_platformio_nor_other_modules_of_ours() -> None:
    code = (
        "import sys, firmware.tools.boards; rooms = {'platformio', 'wire', 'numpy', 'bakenn', 'tflite'};"
        "print(sorted(rooms & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_documentation_has_the_tables_of_the_bundles() -> None:
    """After a change of bundles/: python -m firmware.tools.board_table."""
    _, tables, _ = board_table.parts(board_table.PAGE.read_text(encoding="utf-8"))
    assert (
        tables.strip() == board_table.section([board_table.measure(p) for p in board_table.default_bundles()]).strip()
    )


def test_board_table_shows_no_instructions_of_another_model() -> None:
    encoder = board_table.measure(random_bundle.folder())
    rows = board_table.section([encoder]).splitlines()
    assert encoder.counted == {}
    assert rows[2].startswith("| `random` | aot, CMSIS-NN (STM32) | ") and rows[2].endswith(" | - |")
    assert sum(row.startswith("| `") for row in rows) == 3 + len(BOARDS)
