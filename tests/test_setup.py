"""Tests of the set-up scripts, with fakes of the tools that would change this machine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SCRIPTS = ROOT / "scripts"
SHELL_TOOLS = ["sh", "env", "basename", "cat", "cut", "dirname", "flock", "grep", "mkdir", "mktemp", "rm", "sed"]
SHELL_TOOLS += ["sha256sum", "sleep", "tail", "touch"]
INSTALLED = 'case "$*" in *" there"*) echo "install ok installed";; *) exit 1;; esac'
APT_GET = 'echo "$DEBIAN_FRONTEND $*" >>"$CALLS"'


class Machine:
    """A PATH of a few real tools and of fakes; a clone in a path with blanks."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.cache, self.calls = folder / "bin", folder / "its cache", folder / "calls.txt"
        self.clone = folder / "a clone"
        self.bin.mkdir()
        shutil.copytree(SCRIPTS, self.clone / "scripts")
        for name in SHELL_TOOLS:
            (self.bin / name).symlink_to(str(shutil.which(name)))

    def tool(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        variables = {"PATH": str(self.bin), "INKLING_CACHE": str(self.cache), "CALLS": str(self.calls)}
        return subprocess.Popen(
            [self.clone / "scripts" / script, *arguments],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str) -> tuple[int, str, str]:
        process = self.start(script, *arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_apt_without_apt_get_names_packages_and_continues(machine: Machine) -> None:
    code, _, err = machine.run("apt.sh", "gcc", "qemu")
    assert code == 0
    assert err == "set-up: apt-get not found; install the equivalents of these Debian packages: gcc qemu\n"


def test_apt_installed_packages_are_left_alone(machine: Machine) -> None:
    machine.tool("dpkg-query", INSTALLED)
    machine.tool("apt-get", APT_GET)
    assert machine.run("apt.sh", "there") == (0, "", "")
    assert machine.called() == []


@pytest.mark.parametrize("user", ["0", "1000"])
def test_apt_installs_missing_packages_without_questions(machine: Machine, user: str) -> None:
    machine.tool("dpkg-query", INSTALLED)
    machine.tool("apt-get", APT_GET)
    machine.tool("id", f"echo {user}")
    machine.tool("sudo", 'echo sudo >>"$CALLS"; exec env -i PATH="$PATH" CALLS="$CALLS" "$@"')
    assert machine.run("apt.sh", "there", "gone", "away")[0] == 0
    update, install = [call for call in machine.called() if call != "sudo"]
    assert update == "noninteractive update"
    assert install.startswith("noninteractive ") and install.endswith(" install -y --no-install-recommends gone away")
    assert machine.called().count("sudo") == (2 if user == "1000" else 0)


def test_apt_broken_source_does_not_stop_installation(machine: Machine) -> None:
    machine.tool("dpkg-query", INSTALLED)
    machine.tool("apt-get", APT_GET + '; [ "$1" != update ]')
    machine.tool("id", "echo 0")
    assert machine.run("apt.sh", "gone")[0] == 0 and len(machine.called()) == 2


def test_apt_reports_what_cannot_be_installed(machine: Machine) -> None:
    machine.tool("dpkg-query", "exit 1")
    machine.tool("apt-get", "echo E: no such luck; exit 100")
    machine.tool("id", "echo 0")
    code, out, err = machine.run("apt.sh", "gone")
    assert (code, out) == (1, "") and "E: no such luck" in err
    assert err.endswith("set-up: apt-get could not install: gone\n")
    machine.tool("id", "echo 1000")
    assert machine.run("apt.sh", "gone") == (1, "", "set-up: please install as root: gone\n")


def test_apt_two_at_once_install_once(machine: Machine) -> None:
    machine.tool("dpkg-query", '[ -e "$CALLS.done" ] && echo "install ok installed"')
    machine.tool("apt-get", APT_GET + '; sleep 0.3; case "$*" in *install*) : >"$CALLS.done";; esac')
    machine.tool("id", "echo 0")
    both = [machine.start("apt.sh", "gone") for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert len(machine.called()) == 2
    for process in both:
        process.communicate()


def test_python_environment_is_made_once_in_path_with_blanks(machine: Machine) -> None:
    (machine.bin / "python3.11").symlink_to(Path(sys.base_prefix) / "bin" / "python3.11")
    (machine.clone / "none.txt").write_text("# nothing\n")
    code, out, err = machine.run("python.sh", "none.txt")
    assert code == 0, err
    python = Path(out.rstrip("\n"))
    assert python.parent.parent.parent == machine.cache / "venvs"
    subprocess.run([python, "-c", "import pip"], check=True)
    assert machine.run("python.sh", "none.txt") == (0, out, "")
    assert len(list((machine.cache / "venvs").iterdir())) == 1


FAKE_PYTHON = """
case "$*" in
    *platform*) echo 3.11.9;;
    *version_info*) echo 3.11;;
    *"-m venv"*)
        [ -n "$SLOW" ] || exit 1
        mkdir -p "$3/bin"
        trap "exit 1" INT TERM HUP
        echo ready >&2
        while :; do sleep 0.1; done;;
esac
"""


def interrupt(machine: Machine, number: signal.Signals) -> None:
    """Interrupt the set-up of an environment while it is being built."""
    machine.tool("python3.11", FAKE_PYTHON.replace("$SLOW", "yes"))
    (machine.clone / "none.txt").write_text("")
    process = machine.start("python.sh", "none.txt")
    assert process.stderr
    assert any("ready" in line for line in process.stderr)
    os.killpg(process.pid, number)  # as a terminal does
    out, _ = process.communicate(timeout=120)
    assert process.returncode != 0 and out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_python_interrupted_set_up_leaves_no_marker(machine: Machine, number: signal.Signals) -> None:
    interrupt(machine, number)
    (left,) = (machine.cache / "venvs").iterdir()
    assert [path.name for path in left.iterdir()] == ["bin"], "no marker of a complete environment"


def test_python_interrupted_set_up_is_built_again(machine: Machine) -> None:
    interrupt(machine, signal.SIGINT)
    (machine.bin / "python3.11").unlink()
    (machine.bin / "python3.11").symlink_to(Path(sys.base_prefix) / "bin" / "python3.11")
    code, out, err = machine.run("python.sh", "none.txt")
    assert code == 0 and "set-up: installing none.txt" in err
    subprocess.run([Path(out.rstrip("\n")).parent / "pip", "--version"], check=True)  # its scripts work where they are


def test_python_reports_missing_or_incomplete_python(machine: Machine) -> None:
    code, _, err = machine.run("python.sh", "none.txt")
    assert (code, err) == (1, "set-up: Python 3.11 is required (python3.11 or python3 on the PATH)\n")
    machine.tool("python3", FAKE_PYTHON + 'case "$*" in *ensurepip*) exit 1;; esac')
    code, _, err = machine.run("python.sh", "none.txt")
    assert code == 1 and "python3.11-venv" in err
    assert err.endswith("set-up: python3 lacks the modules venv and ensurepip\n")
