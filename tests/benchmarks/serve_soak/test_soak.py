"""A short soak: real firmware, broker and decoders, which are killed meanwhile."""

from pathlib import Path

import pytest

from benchmarks.serve_demo.cli import BUILD_DIR
from benchmarks.serve_demo.deployment import DeploymentSettings
from benchmarks.serve_soak.measure import Faults, Soak

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_kills_lose_nothing_and_make_nothing_twice(tmp_path: Path) -> None:
    settings = DeploymentSettings(Path("bundles/cifar10"), 4, 3, 5.0, 1.5, "127.0.0.1:0", tmp_path, BUILD_DIR)
    figures = Soak(settings, 45.0, Faults((3.0, 5.0), (0.0, 2.0)), lambda text: None).run()
    assert sum(figures["kills"].values()) >= 5 and figures["images_undamaged"] == figures["images"] >= 40
    wrong = "undamaged_lost", "twice", "misread", "statuses_lost"
    assert {name: figures[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert figures["statuses_undamaged"] >= 4 and figures["commands_failed"] == 0
    assert figures["memory"].keys() == {
        "mosquitto", "decode-0", "decode-1", "serve", "gateway-house", "gateway-shed", "gateway-mast",
    }  # fmt: skip
