"""`inkling receive`: readings, JSON lines, notes, signals, and ports that disappear."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from host.classify.classifier import Classifier, Reading
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.senders.rhythm import MIN_INTERVAL_S
from tests.conftest import RunInkling
from tests.host.cli.process import finish, run, start
from tests.support.host import PROBABILITY, make_answer, make_bundle, make_frame, symbols_of, weights
from tests.support.lines import fake_line, sends
from wire.answer import Answer
from wire.bundle import Bundle
from wire.control import ErrorCode, ErrorReply, Opcode, reply

NOT_FOR_THE_HOST = ("torch", "tensorflow", "galois", "matplotlib", "onnx", "train", "channel_sim", "export")
NO_ONNXRUNTIME = "inkling: the Python package 'onnxruntime' is not installed; in a clone of Inkling: pip install '.'\n"


def test_receive_shows_readings_and_writes_json(bundle: Bundle, other: Bundle, tmp_path: Path) -> None:
    frames = [make_frame(bundle, 0), make_frame(other, 9, device=3), make_frame(bundle, 2)]
    target = tmp_path / "readings.jsonl"
    with fake_line(sends(b"".join(frames), hold=True)) as url:
        bundles = ("--bundle", bundle.path, "--bundle", other.path)
        code, out, err = run("receive", "--port", url, *bundles, "--json", target, "--count", 3)
    summary = "3 frames, 1 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage"
    assert (code, err) == (0, f"inkling: {summary}\n")
    assert out.startswith(f"listening on {url} for first {bundle.model_id}, second {other.model_id}\n")
    readings = [json.loads(text) for text in target.read_text().splitlines()]
    expected = [(bundle, 7, 0, 0), (other, 3, 9, 0), (bundle, 7, 2, 1)]
    for reading, shown, (model, device, sequence, lost) in zip(readings, out.splitlines()[1:], expected, strict=True):
        logits = symbols_of(model, sequence, device) @ weights(int(model is other), len(model.symbol_order))
        assert reading["class"] == f"class{logits.argmax()}" and reading["class"] in shown
        assert (reading["model_id"], reading["device"], reading["sequence"]) == (model.model_id, device, sequence)
        assert (reading["lost"], reading["lost_total"], reading["crc_ok"]) == (lost, lost, True)
        assert 0 < reading["ber"] < 2e-3 and abs(reading["time"] - time.time()) < 60
        assert f"device {device}" in shown and "clean" in shown and f"{lost} lost" in shown


def test_receive_shows_who_decided(tmp_path: Path) -> None:
    bundle, target = make_bundle(tmp_path / "adaptive", answer=True), tmp_path / "readings.jsonl"
    sent = [
        make_answer(bundle, 0, Answer(3, 12)),
        make_frame(bundle, 1),
        make_answer(bundle, 2),
        make_answer(bundle, 2),
    ]
    with fake_line(sends(b"".join(sent), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--json", target, "--count", 4)
    summary = "4 frames (3 answers, 0 of them unsure), 0 lost, 1 duplicates, 0 late, 0 of unknown models"
    assert (code, err) == (0, f"inkling: {summary}, 0 bytes of garbage\n")
    shown = out.splitlines()[1:]
    assert f"{'class3':<12} {PROBABILITY[12]:6.1%}  by board  BER" in shown[0] and shown[0].endswith("answer  0 lost")
    assert "by host " in shown[1] and "clean" in shown[1] and shown[3].endswith("answer  0 lost  duplicate")
    readings = [json.loads(text) for text in target.read_text().splitlines()]
    assert [reading["answered_by"] for reading in readings] == ["board", "host", "board", "board"]
    assert [reading["frame"] for reading in readings] == ["answer", "features", "answer", "answer"]
    assert readings[0]["class"] == "class3" and readings[0]["confidence"] == PROBABILITY[12]


def test_receive_with_json_on_standard_output_prints_nothing_else_there(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--json", "-", "--count", 1)
    assert code == 0 and "listening" in err
    assert json.loads(out)["bundle"] == "first"


def test_receive_reports_a_disconnected_port_and_keeps_what_arrived(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0) + make_frame(bundle, 1)[:50])) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path)
    summary = "inkling: 2 frames, 0 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage\n"
    assert (code, err) == (1, f"{summary}inkling: lost {url}: the line was closed (unplugged?)\n")
    whole, truncated = out.splitlines()[1:]
    assert "clean" in whole and "truncated to 304 of 384 bits" in truncated


def test_receive_counts_by_the_time_of_arrival_however_long_handling_takes(
    bundle: Bundle, run_inkling: RunInkling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause as long as this, 32 images may have been lost between two frames."""
    read = Classifier.read

    def slow(self: Classifier, frame: FeatureFrame | AnswerFrame) -> Reading:
        time.sleep(100 * MIN_INTERVAL_S)
        return read(self, frame)

    monkeypatch.setattr(Classifier, "read", slow)
    with fake_line(sends(make_frame(bundle, 0) + make_frame(bundle, 1)[:50])) as url:
        _, _, err = run_inkling("receive", "--port", url, "--bundle", str(bundle.path))
    assert err.startswith("inkling: 2 frames, 0 lost, ")


def test_receive_reconnect_waits_for_the_port(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0)), sends(make_frame(bundle, 3), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--reconnect", "--count", 2)
    assert code == 0 and "2 lost" in out
    assert err.startswith(f"inkling: lost {url}: the line was closed (unplugged?); waiting for it to come back\n")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_receive_ends_with_a_summary_after_a_signal(bundle: Bundle, name: signal.Signals) -> None:
    with fake_line(sends(make_frame(bundle, 0) + bytes(2000), hold=True)) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path)
        assert process.stderr
        garbage = process.stderr.readline()
        os.kill(process.pid, name)
        code, out, err = finish(process)
    assert (code, len(out.splitlines())) == (0, 2)
    hint = "check the baud rate (115200), and the line for noise"
    assert garbage.endswith(f" bytes so far belong to no frame: {hint}\n")
    assert err == "inkling: 1 frames, 0 lost, 0 duplicates, 0 late, 0 of unknown models, 2000 bytes of garbage\n"


def test_receive_notes_an_unknown_model_once(bundle: Bundle, other: Bundle) -> None:
    stream = b"".join(make_frame(other, n, device=3) for n in range(5)) + make_frame(bundle, 0)
    with fake_line(sends(stream, hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
    note, summary = err.splitlines()
    assert code == 0 and "5 of unknown models" in summary
    assert note == (
        "inkling: device 3 sends frames of an unknown model, which are skipped: pass its bundle too "
        f"(its model id ends in the bits {other.model_bits:05b}; known models: first {bundle.model_id})"
    )


def test_receive_notes_an_error_of_a_board_once(bundle: Bundle) -> None:
    error = reply(Opcode.ERROR, 0, ErrorReply(ErrorCode.CAMERA, 0).pack(), 9, bundle.number)
    with fake_line(sends(error + error + make_frame(bundle, 0), hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
    note, _summary = err.splitlines()
    description = "it has no camera, or the camera returned no image (CAMERA)"
    assert (code, note) == (0, f"inkling: device 9 reported an error: {description}")


def test_receive_sums_up_what_boards_say_in_plain_text(bundle: Bundle) -> None:
    """A board in a brown-out loop, between frames of another one."""
    loop = b"\r\nBrownout detector was triggered\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
    stream = 5 * loop + make_frame(bundle, 0) + b"\n" + 10 * loop + make_frame(bundle, 1)
    with fake_line(sends(stream, hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 2)
    *notes, summary = err.splitlines()
    garbage = "bytes so far belong to no frame: they are text at the right baud rate"
    assert sum(garbage in note for note in notes) == 1
    notes = [note for note in notes if garbage not in note]
    assert code == 0 and out.count("clean") == 2 and summary.startswith("inkling: 2 frames, 0 lost")
    brown_out = "inkling: the board says 'Brownout detector was triggered': its supply voltage drops"
    restart = "inkling: the board says 'rst:0xc (SW_CPU_RESET)': it has restarted"
    for cause in (brown_out, restart):
        same = [note for note in notes if note.startswith(cause)]
        left_out = [note.endswith(" (11 similar notes left out)") for note in same]
        assert left_out == [False, False, False, True]  # of 15
    assert len(notes) == 8


def test_receive_says_that_what_it_skips_is_text(bundle: Bundle) -> None:
    with fake_line(sends(60 * b"Soil moisture: 512\r\n" + make_frame(bundle, 0), hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
    hint = "they are text at the right baud rate, such as 'Soil moisture: 512', of a board or another program"
    assert code == 0 and f" bytes so far belong to no frame: {hint}\n" in err


def test_receive_needs_only_the_packages_of_the_host(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        arguments = ("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
        code, out, err = run(*arguments, blocked=NOT_FOR_THE_HOST)
    assert code == 0, err
    assert "class" in out
    code, _, err = run("receive", "--port", url, "--bundle", bundle.path, blocked=("onnxruntime",))
    assert (code, err) == (1, NO_ONNXRUNTIME)


def test_receive_ends_quietly_when_its_output_is_closed(bundle: Bundle) -> None:
    def endless(connection: socket.socket) -> None:
        for n in range(2000):
            connection.sendall(make_frame(bundle, n))
            time.sleep(0.005)

    with fake_line(endless) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path)
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 1
        assert process.stderr.read() == ""


def test_receive_says_at_least_where_the_count_is_not_certain(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "readings.jsonl"
    with fake_line(sends(make_frame(bundle, 0)), sends(make_frame(bundle, 3), hold=True)) as url:
        arguments = ("receive", "--port", url, "--bundle", bundle.path, "--reconnect", "--count", 2, "--json", target)
        code, out, err = run(*arguments)
    assert code == 0 and out.splitlines()[-1].endswith("clean  at least 2 lost")
    assert "inkling: 2 frames, at least 2 lost, 0 duplicates" in err
    readings = [one for one in map(json.loads, target.read_text().splitlines()) if "event" not in one]
    words = [(one["lost"], one["lost_certainty"], one["lost_total"], one["lost_total_certainty"]) for one in readings]
    assert words == [(0, "exact", 0, "exact"), (2, "at least", 2, "at least")]


def test_receive_marks_a_frame_that_continues_nothing(bundle: Bundle) -> None:
    frames = [make_frame(bundle, n) for n in range(10)] + [make_frame(bundle, 25), make_frame(bundle, 10)]
    with fake_line(sends(b"".join(frames), hold=True)) as url:
        code, out, _ = run("receive", "--port", url, "--bundle", bundle.path, "--count", 12)
    shown = out.splitlines()[1:]
    assert code == 0 and [line.endswith("  unexpected") for line in shown] == [False] * 10 + [True, False]


def test_receive_remembers_devices_across_restarts(bundle: Bundle, tmp_path: Path) -> None:
    state, target = tmp_path / "state.db", tmp_path / "readings.jsonl"
    for stream in (make_frame(bundle, 0) + make_frame(bundle, 1), make_frame(bundle, 1) + make_frame(bundle, 4)):
        with fake_line(sends(stream, hold=True)) as url:
            options = ("--port", url, "--bundle", bundle.path, "--state", state, "--json", target, "--count", 2)
            code, _, _ = run("receive", *options)
        assert code == 0
    readings = [json.loads(text) for text in target.read_text().splitlines()]
    assert [(one["image_number"], one["duplicate"], one["lost"]) for one in readings] == [
        (0, False, 0),
        (1, False, 0),
        (1, True, 0),
        (4, False, 2),
    ]


def test_receive_refuses_a_state_file_of_something_else(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database\n" * 9)
    state = tmp_path / "notes.txt"
    code, out, err = run("receive", "--port", "socket://127.0.0.1:9", "--bundle", bundle.path, "--state", state)
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert err.startswith(f"inkling: {state} is not a usable state file (file is not a database): name another file")
