"""`inkling receive` with keys: what it shows, refuses, notes and remembers."""

import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from host.cli.output import Output, Part
from host.cli.reports.trust import RefusalNotes
from host.keys.policy import Auth, DevicePolicy
from host.receive.secured.devices import Refusal
from inkling.cli import main
from tests.host.key_file import use_key_file
from tests.host.secured import DEVICE, KEYS, OTHER_KEYS, SecuredBoard, make_status
from tests.support.host import make_answer, make_bundle, make_frame
from tests.support.lines import fake_line, sends
from wire.bundle import Bundle
from wire.replies.status import status_frame


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("secured") / "adaptive", answer=True)


@dataclass
class Outcome:
    """What a command has written."""

    code: int
    out: list[str]
    err: list[str]
    events: list[dict]


class Command:
    """`inkling receive` in this process, with a key file in a folder."""

    def __init__(self, folder: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._bundle, self._capsys = folder, bundle, capsys

    def __call__(self, data: bytes, *options: object, count: int = 1) -> Outcome:
        """Run the command until it has shown so many readings."""
        target = self.folder / "log.jsonl"
        target.unlink(missing_ok=True)
        with fake_line(sends(data, hold=True)) as url:
            line = ("--port", url, "--count", count)
            arguments = ("receive", *line, "--bundle", self._bundle.path, "--json", target, *options)
            code = main([str(argument) for argument in arguments])
        written = self._capsys.readouterr()
        events = [json.loads(line) for line in target.read_text().splitlines()] if target.exists() else []
        return Outcome(code, written.out.splitlines()[1:], written.err.splitlines(), events)


@pytest.fixture
def receive(
    tmp_path: Path, adaptive: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    use_key_file(monkeypatch, tmp_path, {DEVICE: DevicePolicy(KEYS)})
    return Command(tmp_path, adaptive, capsys)


def damaged(frame: bytes) -> bytes:
    """Return a frame with a flipped bit in its payload."""
    return frame[:40] + bytes([frame[40] ^ 1]) + frame[41:]


def test_readings_say_what_is_authentic(receive: Command, adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    result = receive(
        board.frame(0) + damaged(board.frame(1)) + board.answer(2) + make_frame(adaptive, 0, device=3), count=4
    )
    assert [event["auth"] for event in result.events] == ["full", "header", "full", "none"]
    for line, end in zip(
        result.out, ("clean  auth full", "damaged  auth header", "answer  auth full", "clean"), strict=True
    ):
        assert f"{end}  0 lost" in line


@pytest.mark.parametrize(("required", "shown"), [("header", [0, 1, 2]), ("full", [0, 2])])
def test_require_auth_refuses_less_of_all_devices(
    receive: Command, adaptive: Bundle, required: str, shown: list[int]
) -> None:
    board = SecuredBoard(adaptive)
    data = 2 * make_frame(adaptive, 0, device=3) + board.frame(0) + damaged(board.frame(1)) + board.answer(2)
    result = receive(data, "--require-auth", required, count=len(shown))
    refused = [(event["device"], event["reason"]) for event in result.events if event.get("event") == "refused"]
    assert [event["image_number"] for event in result.events if "class" in event] == shown
    assert refused == [(3, "no key")] + [(7, "damaged")] * (required == "full")
    assert f"{2 + (required == 'full')} refused, 0 of unknown models, 0 bytes of garbage" in result.err[-1]


def test_flood_of_refused_frames_is_one_note(receive: Command, adaptive: Bundle) -> None:
    forger = SecuredBoard(adaptive, keys=OTHER_KEYS)
    data = b"".join(forger.frame(n) + make_answer(adaptive, n) for n in range(50))
    data += status_frame(make_status(9), DEVICE, adaptive.number) + SecuredBoard(adaptive).frame(4)
    result = receive(data)
    assert len(result.out) == 1 and "auth full" in result.out[0]
    assert [event for event in result.events if "event" in event] == [
        {"time": result.events[0]["time"], "event": "refused", "device": 7, "gateway": False, "reason": "not authentic"}
    ]
    assert sum("frames as device 7 that are not authentic are refused" in line for line in result.err) == 1
    assert any("101 refused" in line for line in result.err)


def test_secured_status_is_shown_once(receive: Command, adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    result = receive(2 * board.status(70_000) + board.frame(70_000))
    assert "device 7    status: up 60 s" in result.out[0] and len(result.out) == 2
    assert [event.get("event") for event in result.events] == ["status", "refused", None]
    assert result.events[1]["reason"] == "replay"


@pytest.mark.parametrize("option", [False, True])
def test_restarted_host_refuses_replays_also_without_state_option(
    receive: Command, adaptive: Bundle, option: bool
) -> None:
    board = SecuredBoard(adaptive)
    sent, options = board.frame(0) + board.answer(1), ("--state", receive.folder / "own.db") if option else ()
    assert len(receive(sent, *options, count=2).out) == 2
    assert (receive.folder / ("own.db" if option else "keys.json.state")).exists()
    again = receive(sent + board.status(0) + board.frame(3), *options)
    assert [event["image_number"] for event in again.events if "class" in event] == [3]
    assert again.events[-1]["lost"] == 1


def test_without_keys_no_state_file_is_made(
    receive: Command, adaptive: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_key_file(monkeypatch, receive.folder, {})
    result = receive(make_frame(adaptive, 0))
    assert [event["auth"] for event in result.events] == ["none"] and "auth" not in result.out[0]
    assert [path.name for path in receive.folder.iterdir()] == ["log.jsonl"]


@pytest.mark.parametrize("policies", [{}, {DEVICE: DevicePolicy(None)}])
def test_require_auth_without_a_key_is_one_line(
    receive: Command, adaptive: Bundle, policies: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_key_file(monkeypatch, receive.folder, policies)
    result = receive(b"", "--require-auth", "header", "--keys", receive.folder / "other.json")
    path = receive.folder / "other.json"
    assert (result.code, result.err) == (
        1, [f"inkling: --require-auth would refuse all frames: {path} has no key of any device"],
    )  # fmt: skip


def _receive_and_be_killed(folder: Path, bundle: Path, url: str) -> None:
    """Receive until a reading is shown; then be killed before anything else happens."""

    def line(output: Output, *parts: Part) -> None:
        if "auth" in str(parts):
            os.kill(os.getpid(), SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        use_key_file(patch, folder, {DEVICE: DevicePolicy(KEYS)})
        patch.setattr(Output, "line", line)
        main(["receive", "--port", url, "--bundle", str(bundle), "--json", str(folder / "killed.jsonl")])


def test_host_killed_as_it_shows_a_reading_accepts_no_replay(receive: Command, adaptive: Bundle) -> None:
    board = SecuredBoard(adaptive)
    with fake_line(sends(board.frame(0), hold=True)) as url:
        process = multiprocessing.get_context("fork").Process(
            target=_receive_and_be_killed, args=(receive.folder, adaptive.path, url)
        )
        process.start()
        process.join(30)
    assert process.exitcode == -SIGKILL
    assert len((receive.folder / "killed.jsonl").read_text().splitlines()) == 1, "it was killed after the reading"
    again = receive(board.frame(0) + board.frame(1))
    assert [event["image_number"] for event in again.events if "class" in event] == [1]


def test_notes_on_refusals_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for reason in Refusal:
        notes = RefusalNotes(Output())
        for _ in range(3):
            notes.add(7, reason)
        notes.flush()
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and "device 7 " in message and "refused" in message and notes.count == 3


def test_state_is_of_each_device_and_key(receive: Command, adaptive: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    board, other = SecuredBoard(adaptive), SecuredBoard(adaptive, 8, OTHER_KEYS)
    both = {DEVICE: DevicePolicy(KEYS, Auth.FULL), 8: DevicePolicy(OTHER_KEYS)}
    use_key_file(monkeypatch, receive.folder, both)
    assert len(receive(board.frame(5) + other.frame(9), count=2).out) == 2
    use_key_file(monkeypatch, receive.folder, {DEVICE: DevicePolicy(OTHER_KEYS), 8: DevicePolicy(None)})
    renewed = SecuredBoard(adaptive, keys=OTHER_KEYS)
    result = receive(other.frame(10) + board.frame(6) + renewed.frame(0))
    assert [event["image_number"] for event in result.events if "class" in event] == [0], "a new key begins at 0"
    use_key_file(monkeypatch, receive.folder, both)
    result = receive(other.frame(9) + other.frame(11))
    assert [event["image_number"] for event in result.events if "class" in event] == [11], (
        "a revocation forgets nothing"
    )
