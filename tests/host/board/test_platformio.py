"""PlatformIO's output while it flashes: downloads without a network, progress, the log."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from host.board import platformio
from host.errors import HostError

INSTALL = "print('Platform Manager: Installing {package}', flush=True)\nimport sys, time\n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose PlatformIO is the Python program in this file; it needs 0.2 s to be offline, 0.4 s for a note."""
    program = tmp_path / "pio.py"
    monkeypatch.setattr(platformio, "project_folder", lambda: tmp_path)
    monkeypatch.setattr(platformio, "command", lambda: [sys.executable, str(program)])
    monkeypatch.setattr(platformio, "OFFLINE_S", 0.2)
    monkeypatch.setattr(platformio, "ANSWER_S", 0.4)
    return program


def upload(fake: Path, program: str) -> tuple[str, list[str], str]:
    """Run an upload that fails, and return its error, its notes and its log."""
    fake.write_text(program)
    notes: list[str] = []
    with pytest.raises(HostError) as error:
        platformio.upload("esp32dev", "/dev/x", fake.parent, lambda _line: None, notes.append)
    return str(error.value), notes, (fake.parent / platformio.LOG).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("package", "error"),
    [
        ("espressif32 @ 6.13.0", "HTTPClientError: "),
        ("platformio/tool-scons @ ~4", "InternetConnectionError: You are not connected to the Internet."),
        ("jgromes/RadioLib @ 7", "requests.exceptions.SSLError: certificate verify failed"),
        ("ststm32 @ 19", "urllib3.exceptions.ReadTimeoutError: Read timed out."),
    ],
)
def test_upload_names_the_package_that_was_not_downloaded(fake: Path, package: str, error: str) -> None:
    program = f"{INSTALL.format(package=package)}print('Downloading 0% 10%', end='')\nsys.exit({error!r})"
    message, notes, _ = upload(fake, program)
    assert message.startswith(f"flashing esp32dev failed: PlatformIO could not download {package} (")
    assert "check the network connection, and the proxy (HTTPS_PROXY)" in message and notes == []


def test_upload_blames_no_network_for_other_errors(fake: Path) -> None:
    program = INSTALL.format(package="espressif32") + "sys.exit('OSError: [Errno 28] No space left on device')"
    assert upload(fake, program)[0].startswith(
        "flashing esp32dev failed: OSError: [Errno 28] No space left on device ("
    )


def test_upload_without_a_network_ends_at_once(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "has_network", lambda: False)
    start = time.monotonic()
    message, notes, _ = upload(fake, INSTALL.format(package="espressif32 @ 6.13.0") + "time.sleep(600)")
    assert message.startswith(
        "esp32dev was not flashed: PlatformIO could not download espressif32 @ 6.13.0 (no network)"
    )
    assert notes == [] and time.monotonic() - start < 30


@pytest.mark.parametrize(("package", "noted"), [("espressif32 @ 6.13.0", True), ("symlink:///here", False)])
def test_upload_notes_that_nothing_answers(
    fake: Path, monkeypatch: pytest.MonkeyPatch, package: str, noted: bool
) -> None:
    monkeypatch.setattr(platformio, "has_network", lambda: noted)
    _, notes, _ = upload(fake, INSTALL.format(package=package) + "time.sleep(1.5)\nsys.exit(1)")
    note = f"PlatformIO wants to download {package}, and nothing answers yet: is there a network?"
    assert notes == ([note] if noted else [])


def test_upload_takes_slow_progress_for_an_answer(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "has_network", lambda: False)
    progress = "say = lambda text: (sys.stdout.buffer.write(text), sys.stdout.buffer.flush())\nsay(b'Downloading 0%')\n"
    rest = rb"time.sleep(1); say(b' 100%\nUnpacking\rsize \xc3\xbf\xff\x1b[2J\n'); sys.exit(1)"
    message, notes, log = upload(fake, INSTALL.format(package="a") + progress + rest.decode("ascii"))
    assert message.startswith("flashing esp32dev failed: size ÿ") and notes == []
    assert log.endswith("\nDownloading 0% 100%\nUnpacking\nsize ÿ\N{REPLACEMENT CHARACTER}\x1b[2J\n")


def test_upload_gives_way_to_an_interrupt(fake: Path) -> None:
    fake.write_text("import time\nprint('building', flush=True)\ntime.sleep(600)")
    threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        platformio.upload("esp32dev", "/dev/x", fake.parent, lambda _line: None, lambda _note: None)
    assert time.monotonic() - start < 10


def test_has_network_needs_a_route_or_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRoute:
        def __init__(self, *_: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(platformio.socket, "socket", NoRoute)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "localhost")
    assert not platformio.has_network()
    monkeypatch.setenv("https_proxy", "http://localhost:1")
    assert platformio.has_network()
