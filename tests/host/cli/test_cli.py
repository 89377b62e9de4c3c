"""`python -m host` as a user runs it: what it prints, and one clear line for every mistake."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy
from firmware.tools import emulator
from tests.conftest import RunInkling
from tests.support import ROOT
from tests.support import firmware as firmware_tools
from tests.support.host import symbols_of, make_bundle, make_frame, weights
from tests.support.lines import fake_line, sends, stays_silent, unused_port
from wire.bundle import Bundle, load

NOT_FOR_THE_HOST = ("torch", "tensorflow", "galois", "matplotlib", "onnx", "train", "channel_sim", "export")
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("blocked: " + name, name=name)
sys.meta_path.insert(0, Blocker())
from inkling.cli import main
from tests.support import ROOT
sys.exit(main(sys.argv[1:]))
"""


def start(*arguments: str | Path, blocked: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    how = ["-c", BLOCKED.format(blocked=set(blocked))] if blocked else ["-m", "host"]
    command = [sys.executable, *how, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    return process.returncode, out, err


def run(*arguments: str | Path, blocked: tuple[str, ...] = ()) -> tuple[int, str, str]:
    return finish(start(*arguments, blocked=blocked))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("cli") / "first")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("cli") / "second", seed=1, n_symbols=41, bits=5)


@pytest.fixture(scope="module")
def board() -> Iterator[str]:
    with emulator.native(firmware_tools.program("native")) as url:
        yield url


@pytest.fixture(scope="module")
def built() -> Bundle:
    return load(firmware_tools.bundle_path())


@pytest.fixture(scope="module")
def pictures(built: Bundle, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    images = np.load(built.golden_path)["images"][:3]
    for n, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"{n}.png")
    return sorted(folder.iterdir())


def test_receive_shows_readings_and_writes_json(bundle: Bundle, other: Bundle, tmp_path: Path) -> None:
    frames = [make_frame(bundle, 0), make_frame(other, 9, device=3), make_frame(bundle, 2)]
    target = tmp_path / "readings.jsonl"
    with fake_line(sends(b"".join(frames), hold=True)) as url:
        code, out, err = run(
            "receive", "--port", url, "--bundle", bundle.path, "--bundle", other.path, "--json", target, "--count", 3
        )
    assert (code, err) == (0, "inkling: 3 frames, 1 lost, 0 duplicates, 0 late, 0 of unknown models, 0 bytes of garbage\n")
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


def test_json_on_standard_output_is_nothing_but_json(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--json", "-", "--count", 1)
    assert code == 0 and "listening" in err
    assert json.loads(out)["bundle"] == "first"


def test_an_unplugged_port_is_told_and_what_came_before_is_kept(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0) + make_frame(bundle, 1)[:50])) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path)
    assert (code, err) == (1, f"inkling: lost {url}: the line was closed (unplugged?)\n")
    whole, cut = out.splitlines()[1:]
    assert "clean" in whole and "cut to 304 of 384 bits" in cut


def test_reconnect_waits_for_the_port_to_come_back(bundle: Bundle) -> None:
    with fake_line(sends(make_frame(bundle, 0)), sends(make_frame(bundle, 3), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--reconnect", "--count", 2)
    assert code == 0 and "2 lost" in out
    assert err.startswith(f"inkling: lost {url}: the line was closed (unplugged?); waiting for it to come back\n")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_summary(bundle: Bundle, name: signal.Signals) -> None:
    with fake_line(sends(make_frame(bundle, 0) + bytes(2000), hold=True)) as url:
        process = start("receive", "--port", url, "--bundle", bundle.path)
        assert process.stderr
        garbage = process.stderr.readline()
        os.kill(process.pid, name)
        code, out, err = finish(process)
    assert (code, len(out.splitlines())) == (0, 2)
    assert garbage.endswith(" bytes so far belong to no frame: noise, or is 115200 baud wrong?\n")
    assert err == "inkling: 1 frames, 0 lost, 0 duplicates, 0 late, 0 of unknown models, 2000 bytes of garbage\n"


def test_frames_of_an_unknown_model_are_told_once(bundle: Bundle, other: Bundle) -> None:
    stream = b"".join(make_frame(other, n, device=3) for n in range(5)) + make_frame(bundle, 0)
    with fake_line(sends(stream, hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
    told, summary = err.splitlines()
    assert code == 0 and "5 of unknown models" in summary
    assert told.startswith("inkling: device 3 sends frames of an unknown model (its id ends in the 5 bits ")
    assert f"{other.model_bits:05b}; at hand: first {bundle.model_id})" in told


@pytest.mark.parametrize("command", ["receive", "run", "capture", "info"])
def test_missing_things_are_one_line(run_inkling: RunInkling, bundle: Bundle, tmp_path: Path, command: str) -> None:
    url, nowhere = unused_port(), tmp_path / "nowhere"
    picture = [tmp_path / "p.png"] if command == "run" else []
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "p.png")
    code, out, err = run_inkling(command, *picture, "--port", url, "--bundle", nowhere)
    assert (code, out, err) == (1, "", f"inkling: bundle {nowhere}: no such folder\n")
    code, out, err = run_inkling(command, *picture, "--port", url, "--bundle", bundle.path)
    assert (code, out, err) == (1, "", f"inkling: cannot open {url}: Connection refused\n")


def test_files_that_cannot_be_used_are_one_line(run_inkling: RunInkling, bundle: Bundle, tmp_path: Path) -> None:
    code, _, err = run_inkling("run", tmp_path / "none.png", "--port", unused_port(), "--bundle", bundle.path)
    assert (code, err) == (1, f"inkling: {tmp_path / 'none.png'}: No such file or directory\n")
    code, _, err = run_inkling("receive", "--port", unused_port(), "--bundle", bundle.path, "--json", tmp_path)
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
def test_impossible_numbers_are_refused(run_inkling: RunInkling, bundle: Bundle, command: str, option: str, value: str) -> None:
    picture = ["p.png"] if command == "run" else []
    code, out, err = run_inkling(command, *picture, "--port", unused_port(), "--bundle", bundle.path, f"{option}={value}")
    assert (code, out) == (2, "")
    assert f"argument {option}: " in err and err.endswith(f"is needed, not '{value}'\n")


@pytest.mark.parametrize("url", ["socket://localhost", "socket://localhost:x", "socket://localhost:99999"])
def test_a_socket_without_a_port_is_one_line(run_inkling: RunInkling, url: str) -> None:
    assert run_inkling("info", "--port", url) == (1, "", f"inkling: cannot open {url}: a socket is socket://HOST:PORT\n")


def test_output_that_cannot_be_written_is_one_line(board: str) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "host", "info", "--port", board]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (1, b"inkling: cannot go on: No space left on device\n")


def test_info_shows_the_board_and_checks_its_model(run_inkling: RunInkling, board: str, built: Bundle, bundle: Bundle) -> None:
    code, out, err = run("info", "--port", board, "--bundle", built.path)
    assert (code, err) == (0, "") and built.model_id in out and "native, aot" in out
    code, out, err = run_inkling("info", "--port", board, "--bundle", bundle.path)
    assert code == 1 and built.model_id in out
    assert err == (
        f"inkling: the board runs model {built.model_id}, but bundle first is model {bundle.model_id}: "
        "give the board's own bundle, or flash firmware built from this one\n"
    )


def test_info_of_a_silent_board_is_one_line(run_inkling: RunInkling) -> None:
    with fake_line(stays_silent) as url:
        code, out, err = run_inkling("info", "--port", url, "--timeout", "0.1")
    assert (code, out, err) == (1, "", f"inkling: {url}: the board is silent: is it running, and this its port?\n")


def test_run_classifies_what_the_board_makes_of_pictures(
    run_inkling: RunInkling, board: str, built: Bundle, pictures: list[Path]
) -> None:
    code, out, err = run("run", *pictures, "--port", board, "--bundle", built.path)
    assert (code, err) == (0, "")
    logits = np.load(built.golden_path)["logits"]
    for picture, shown, row in zip(pictures, out.splitlines(), logits, strict=False):
        assert shown.startswith(str(picture)) and built.classes[row.argmax()] in shown
        assert "clean" in shown and "cycles to encode" in shown
    code, out, _ = run_inkling("run", pictures[0], "--port", board, "--bundle", built.path, "--chunk", 1, "--json")
    reading = json.loads(out)
    assert code == 0 and (reading["chunk"], reading["image"]) == (1, str(pictures[0]))
    assert reading["received_bits"] == built.chunk_bits(1) and reading["encode_cycles"] > 0


def test_run_through_noise_goes_on_without_the_boards_information(
    run_inkling: RunInkling, board: str, built: Bundle, pictures: list[Path]
) -> None:
    with Proxy(board, BitFlips(0.05), seed=1) as proxy:
        code, out, err = run_inkling("run", *pictures, "--port", proxy.url, "--bundle", built.path)
    assert code == 0 and out.count("damaged  cost lost on the way") == 3
    assert err.startswith("inkling: going on without checking the board's model: ")


def test_run_reports_lost_frames(run_inkling: RunInkling, board: str, built: Bundle, pictures: list[Path]) -> None:
    with Proxy(board, BitFlips(0.5), seed=1) as proxy:
        code, out, _ = run_inkling("run", pictures[0], "--port", proxy.url, "--bundle", built.path, "--json")
    assert code == 1 and json.loads(out)["class"] is None


def test_run_refuses_a_chunk_and_a_model_that_do_not_fit(
    run_inkling: RunInkling, board: str, built: Bundle, bundle: Bundle, pictures: list[Path]
) -> None:
    code, _, err = run_inkling("run", pictures[0], "--port", board, "--bundle", built.path, "--chunk", "15")
    assert (code, err.count("\n")) == (1, 1) and "has chunks 0.." in err
    code, _, err = run_inkling("run", pictures[0], "--port", board, "--bundle", bundle.path)
    assert (code, err.count("\n")) == (1, 1) and f"runs model {built.model_id}" in err


def test_the_host_needs_nothing_heavy(bundle: Bundle, tmp_path: Path) -> None:
    with fake_line(sends(make_frame(bundle, 0), hold=True)) as url:
        arguments = ("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
        code, out, err = run(*arguments, blocked=NOT_FOR_THE_HOST)
    assert code == 0, err
    assert "class" in out
    code, _, err = run("receive", "--port", url, "--bundle", bundle.path, blocked=("onnxruntime",))
    assert (code, err) == (1, "inkling: the Python package 'onnxruntime' is not installed; in a clone of Inkling: pip install '.'\n")


def test_a_reader_that_has_had_enough_is_no_fault(bundle: Bundle) -> None:
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
        assert "Traceback" not in process.stderr.read()


def test_help_gives_examples(run_inkling: RunInkling) -> None:
    for command in ([], ["receive"], ["run"], ["capture"], ["info"]):
        code, out, _ = run_inkling(*command, "--help")
        assert code == 0 and "examples:\n  python -m host " in out
