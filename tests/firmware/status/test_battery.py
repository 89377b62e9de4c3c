"""The voltage in status frames, on mocked chips: of the supply, or by pin and ratio."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.firmware.resets.test_arduino_resets import ESP32, H7, LOGS, link

pytestmark = pytest.mark.emulated

APPLICATION = Path(__file__).with_name("battery_app.cpp")
HIGHEST = 0xFFFF


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), {"35=1850": 0}),
        (("-DINKLING_BATTERY_PIN=35",), {"35=1850": 1850, "34=1850": 0, "35=0": 0}),
        (("-DINKLING_BATTERY_PIN=0", "-DINKLING_BATTERY_RATIO=490"), {"0=857": 4199, "0=3300": 16170}),
        (("-DINKLING_BATTERY_PIN=35", "-DINKLING_BATTERY_RATIO=10000"), {"35=655": 65500, "35=656": HIGHEST}),
    ],
)
def test_esp32_reports_the_voltage_at_its_pin(tmp_path: Path, flags: tuple[str, ...], expected: dict[str, int]) -> None:
    app = link(ESP32, tmp_path / "app", *flags, application=APPLICATION)
    for pin, millivolts in expected.items():
        environment = os.environ | {"INKLING_PIN_MV": pin}
        done = subprocess.run([app], env=environment, capture_output=True, text=True, check=True)
        assert int(done.stdout) == millivolts, pin


@pytest.mark.parametrize("board", [*LOGS, H7])
def test_stm32_reports_its_supply(tmp_path: Path, board: str) -> None:
    app = link(board, tmp_path / "app", application=APPLICATION)
    for supply, least, most in (("3300", 3300, 3300), ("1800", 1798, 1802), ("3612", 3608, 3616), ("0", 0, 0)):
        environment = os.environ | {"INKLING_SUPPLY_MV": supply}
        done = subprocess.run([app], env=environment, capture_output=True, text=True, check=True)
        assert least <= int(done.stdout) <= most, supply


def test_stm32_reports_the_voltage_at_its_pin_whatever_its_supply(tmp_path: Path) -> None:
    flags = "-DINKLING_BATTERY_PIN=PA0", "-DINKLING_BATTERY_RATIO=200"
    app = link(H7, tmp_path / "app", *flags, application=APPLICATION)
    for supply, pin, expected in (("3300", "192=2100", 4200), ("2500", "192=1500", 3000), ("3300", "193=2100", 0)):
        environment = os.environ | {"INKLING_SUPPLY_MV": supply, "INKLING_PIN_MV": pin}
        done = subprocess.run([app], env=environment, capture_output=True, text=True, check=True)
        assert abs(int(done.stdout) - expected) <= 8, (supply, pin)  # of 12 bits, and of the reference's reading


@pytest.mark.parametrize("ratio", [99, 10001])
def test_stm32_refuses_impossible_settings(tmp_path: Path, ratio: int, capfd: pytest.CaptureFixture[str]) -> None:
    flags = "-DINKLING_BATTERY_PIN=PA0", f"-DINKLING_BATTERY_RATIO={ratio}"
    with pytest.raises(subprocess.CalledProcessError):
        link(H7, tmp_path / "app", *flags, application=APPLICATION)
    assert "INKLING_BATTERY_RATIO must be" in capfd.readouterr().err


@pytest.mark.parametrize(
    "flag", ["PIN=49", "PIN=-1", "PIN=35 -DINKLING_BATTERY_RATIO=99", "PIN=35 -DINKLING_BATTERY_RATIO=10001"]
)
def test_esp32_refuses_impossible_settings(tmp_path: Path, flag: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        link(ESP32, tmp_path / "app", *f"-DINKLING_BATTERY_{flag}".split(), application=APPLICATION)
    wrong = flag.split("=")[-2].split("_")[-1]
    assert f"INKLING_BATTERY_{wrong} must be" in capfd.readouterr().err
