"""Mistakes in the arguments that several commands of the host share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import RunInkling
from tests.host.cli.process import run
from tests.support.lines import unused_port
from wire.bundle import Bundle


@pytest.mark.parametrize("command", ["receive", "run", "capture", "info"])
def test_commands_report_a_missing_bundle_or_port_in_one_line(
    run_inkling: RunInkling, bundle: Bundle, tmp_path: Path, command: str
) -> None:
    url, nowhere = unused_port(), tmp_path / "nowhere"
    image = [tmp_path / "p.png"] if command == "run" else []
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "p.png")
    code, out, err = run_inkling(command, *image, "--port", url, "--bundle", nowhere)
    assert (code, out, err) == (1, "", f"inkling: bundle {nowhere}: no such folder\n")
    code, out, err = run_inkling(command, *image, "--port", url, "--bundle", bundle.path)
    assert (code, out, err) == (1, "", f"inkling: cannot open {url}: Connection refused\n")


def test_commands_report_unusable_files_in_one_line(run_inkling: RunInkling, bundle: Bundle, tmp_path: Path) -> None:
    missing, port = tmp_path / "none.png", ("--port", unused_port(), "--bundle", bundle.path)
    code, _, err = run_inkling("run", missing, *port)
    assert (code, err) == (1, f"inkling: {missing}: No such file or directory\n")
    code, _, err = run_inkling("receive", *port, "--json", tmp_path)
    assert (code, err) == (1, f"inkling: cannot write {tmp_path}: Is a directory\n")


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("info", "--baud", "0"),
        ("info", "--timeout", "inf"),
        ("run", "--timeout", "nan"),
        ("run", "--timeout", "-1"),
        ("capture", "--every", "0"),
        ("receive", "--baud", "-9600"),
        ("receive", "--count", "0"),
    ],
)
def test_commands_refuse_impossible_numbers(
    run_inkling: RunInkling, bundle: Bundle, command: str, option: str, value: str
) -> None:
    image = ["p.png"] if command == "run" else []
    port = ("--port", unused_port(), "--bundle", bundle.path)
    code, out, err = run_inkling(command, *image, *port, f"{option}={value}")
    allowed = "an integer of at least 1" if option in ("--baud", "--count") else "a time above 0 and at most 86400 s"
    error = f"argument {option}: must be {allowed}, got '{value}'"
    assert (code, out, err) == (2, "", f"inkling {command}: {error}; see inkling {command} --help\n")


def test_python_m_host_gives_examples() -> None:
    for command in ([], ["receive"], ["run"], ["capture"], ["info"]):
        code, out, _ = run(*command, "--help")
        assert code == 0 and out.startswith("usage: python -m host ") and "examples:\n  inkling " in out
