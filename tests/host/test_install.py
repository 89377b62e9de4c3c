"""Installation: the host environment is small and complete, and the wheel runs outside a clone."""

import os
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from inkling import __version__
from tests.support import ROOT

LIMIT_BYTES = 300_000_000
PACKAGES = {"inkling", "host", "wire", "channel_sim", "train", "export", f"inkling_edge-{__version__}.dist-info"}
HELP_CPU_S = 0.3  # user and system time, which other load does not prolong as it does the wall time
STARTS = 5


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python with requirements/host.txt and nothing else, from the cache of environments."""
    script = [str(ROOT / "scripts" / "python.sh"), "requirements/host.txt"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def inkling(python: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of the wheel, in a virtual environment that has the packages of the host environment."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    check(python, "-m", "venv", "--without-pip", venv)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages, own = (check(interpreter, "-c", purelib).strip() for interpreter in (python, venv / "bin" / "python"))
    (Path(own) / "host_environment.pth").write_text(packages)
    pip = ("-m", "pip", "--python", venv / "bin" / "python", "install", "-q", "--no-deps", "--no-index")
    check(python, *pip, "--disable-pip-version-check", wheel)
    return venv / "bin" / "inkling"


def check(*command: object, cwd: Path = ROOT) -> str:
    """Run a command, which must succeed, without this process's PYTHONPATH. Return its output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cpu_seconds(*command: object, cwd: Path) -> float:
    """Run a command, which must succeed, and return its user and system time."""
    process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_host_environment_takes_less_than_300_mb(python: Path) -> None:
    site = python.parents[1]
    # As pip leaves it by default: compiled.
    subprocess.run([python, "-m", "compileall", "-q", site / "lib"], check=False, capture_output=True)
    size = sum(file.lstat().st_size for file in site.rglob("*") if not file.is_symlink())
    print(f"host environment: {size / 1e6:.0f} MB")
    assert 20_000_000 < size < LIMIT_BYTES


@pytest.mark.parametrize("command", ["flash", "devices", "info", "mode", "run", "capture", "bench", "receive"])
def test_host_environment_runs_every_command(python: Path, command: str) -> None:
    assert "--port" in check(python, "-m", "host", command, "--help")
    # The module that runs the command finds all packages, too.
    assert check(python, "-c", f"from host.cli.{command} import run; print(run.__name__)") == "run\n"


def test_host_environment_decodes_the_shipped_bundle(python: Path) -> None:
    program = (
        "import numpy as np; from wire.bundle import load; from host.classify.decoder import Decoder; "
        "from wire.answer import answer_word; b = load('bundles/cifar10'); g = np.load(b.golden_path); "
        "words = answer_word(*g['answers'].T.astype(np.int64)); "
        "print(abs(Decoder(b).logits(g['symbols'], g['ber'], words) - g['logits']).max() < 1e-3)"
    )
    assert check(python, "-c", program).strip() == "True"


def test_wheel_contains_the_packages_and_their_data_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "host/board/energy.toml" in names
    assert {name.partition("/")[0] for name in names} == PACKAGES
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode == 0:  # not in a source archive
        assert set(tracked.stdout.splitlines()) <= set(names)


def test_wheel_runs_outside_a_clone(inkling: Path, tmp_path: Path) -> None:
    assert check(inkling, "--version", cwd=tmp_path) == f"inkling {__version__}\n"
    assert check(inkling, "receive", "--help", cwd=tmp_path).startswith("usage: inkling receive ")
    where = "import host, wire; print(host.__file__, wire.__file__)"
    files = check(inkling.with_name("python"), "-c", where, cwd=tmp_path).split()
    assert all(Path(file).is_relative_to(inkling.parents[1]) for file in files)
    listed = check(inkling, "bench", "--help", cwd=tmp_path)
    assert "stm32l476" in listed, "read from energy.toml"


def test_wheel_starts_quickly(inkling: Path, tmp_path: Path) -> None:
    seconds = statistics.median(cpu_seconds(inkling, "receive", "--help", cwd=tmp_path) for _ in range(STARTS))
    print(f"inkling receive --help: {1e3 * seconds:.0f} ms of CPU time, median of {STARTS}")
    assert seconds < HELP_CPU_S
