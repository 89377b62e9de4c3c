"""The host's promise: it installs small, and runs without the training's libraries."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

LIMIT_BYTES = 300_000_000


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python that has requirements/host.txt and nothing else, from the cache of environments."""
    script = [ROOT / "scripts" / "python.sh", "requirements/host.txt"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_takes_less_than_300_mb(python: Path) -> None:
    site = python.parents[1]
    # As pip leaves it by default: compiled.
    subprocess.run([python, "-m", "compileall", "-q", site / "lib"], check=False, capture_output=True)
    size = sum(file.lstat().st_size for file in site.rglob("*") if not file.is_symlink())
    print(f"host environment: {size / 1e6:.0f} MB")
    assert 20_000_000 < size < LIMIT_BYTES


@pytest.mark.parametrize("command", ["flash", "devices", "info", "run", "capture", "bench", "receive"])
def test_runs_in_its_own_environment(python: Path, command: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "host", command, "--help"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--port" in done.stdout


def test_decodes_the_shipped_bundle_in_its_own_environment(python: Path) -> None:
    program = (
        "import numpy as np; from wire.bundle import load; from host.decode import Decoder; "
        "b = load('bundles/cifar10'); g = np.load(b.golden_path); "
        "print(abs(Decoder(b).logits(g['symbols'], g['ber']) - g['logits']).max() < 1e-3)"
    )
    done = subprocess.run([python, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
