"""The battery's voltage in status frames, on a mocked ESP32: by pin and ratio."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.firmware.resets.test_arduino_resets import ESP32, link

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


@pytest.mark.parametrize(
    "flag", ["PIN=49", "PIN=-1", "PIN=35 -DINKLING_BATTERY_RATIO=99", "PIN=35 -DINKLING_BATTERY_RATIO=10001"]
)
def test_esp32_refuses_impossible_settings(tmp_path: Path, flag: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        link(ESP32, tmp_path / "app", *f"-DINKLING_BATTERY_{flag}".split(), application=APPLICATION)
    wrong = flag.split("=")[-2].split("_")[-1]
    assert f"INKLING_BATTERY_{wrong} must be" in capfd.readouterr().err
