"""Tests of recordings: written live, read back after a kill or with a full disk, replayed to a host."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channel_sim import BitFlips, Compose, FrameLoss, Stream
from channel_sim.live.proxy import Proxy
from channel_sim.live.recording import Passage, Recorder, Recording, RecordingError
from tests.support.channel import ROOT, connect, printed_url, read, read_all, start, until
from tests.support.host import make_answer, make_bundle, make_frame
from wire.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("recording") / "model", answer=True)


@pytest.fixture(scope="module")
def frames(bundle: Bundle) -> bytes:
    """Features and answers, 100 of them."""
    return b"".join(make_frame(bundle, n) if n % 3 else make_answer(bundle, n) for n in range(100))


def bad_link(bundle: Bundle) -> Stream:
    return Stream(Compose(BitFlips(0.01), FrameLoss(0.2)), 5, [bundle])


@pytest.fixture
def trace(tmp_path: Path, frames: bytes) -> Path:
    """Return a recording of the frames, sent on with every bit inverted, over a tenth of a second."""
    recorder = Recorder(tmp_path / "trace.jsonl", [], [], 0)
    for first in range(0, len(frames), 310):
        piece = frames[first : first + 310]
        recorder.passed("up", piece, bytes(255 - byte for byte in piece))
        recorder.passed("down", b"not for the host", b"")
        time.sleep(0.005)
    recorder.close()
    return tmp_path / "trace.jsonl"


def test_recording_reads_back_what_recorder_wrote(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "trace.jsonl", ["bsc:ber=0.1", "lora:snr=-9"], ["byte-loss:p=0.1"], 7)
    recorder.passed("up", b"\x00\x01", b"\xff")
    recorder.passed("down", b"command", b"comand")
    recorder.passed("up", b"", b"settled")
    recording = Recording(tmp_path / "trace.jsonl")  # before it is closed
    assert recording.channel == ["bsc:ber=0.1", "lora:snr=-9"]
    assert (recording.downlink_channel, recording.seed) == (["byte-loss:p=0.1"], 7)
    assert recording.started.startswith("20")
    passages = list(recording.passages())
    assert passages == [
        Passage(passages[0].seconds, "up", b"\x00\x01", b"\xff"),
        Passage(passages[1].seconds, "down", b"command", b"comand"),
        Passage(passages[2].seconds, "up", b"", b"settled"),
    ]
    assert 0 <= passages[0].seconds <= passages[1].seconds <= passages[2].seconds < 10
    assert list(recording.uplink()) == [b"\x00\x01"]
    assert list(recording.uplink("sent")) == [b"\xff", b"settled"]


def test_recording_ignores_incomplete_last_line(trace: Path) -> None:
    whole, data = list(Recording(trace).passages()), trace.read_bytes()
    last = data.rindex(b"\n", 0, -1) + 1
    for size in range(last, len(data)):
        trace.write_bytes(data[:size])
        assert list(Recording(trace).passages()) == whole[:-1]


def test_recording_refuses_other_files(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot read /no/such: No such file"):
        Recording("/no/such")
    other = tmp_path / "other"
    for content in (
        b"",
        b"x\n",
        b"[]\n",
        b"\xff\n",
        b'{"inkling_recording": 2}\n',
        b"[" * 100_000 + b"\n",
        trace.read_bytes()[:20],
    ):
        other.write_bytes(content)
        with pytest.raises(RecordingError, match="is not a recording of version 1"):
            Recording(other)
    lines = trace.read_bytes().splitlines(keepends=True)
    for version in (b"true", b"1.0"):
        other.write_bytes(lines[0].replace(b'"inkling_recording": 1', b'"inkling_recording": ' + version))
        with pytest.raises(RecordingError, match="is not a recording of version 1"):
            Recording(other)
    times = [b'{"seconds": %s, "way": "up", "received": "00", "sent": ""}\n' % n for n in (b"NaN", b"1" + b"0" * 400)]
    odd = b'{"seconds": 1, "way": "up", "received": "0", "sent": ""}\n'
    for line in (b"\n", b"{}\n", b"1\n", odd, b"\xff\n", b"[" * 100_000 + b"\n", *times):
        other.write_bytes(lines[0] + lines[1] + line + lines[2])
        with pytest.raises(RecordingError, match=r"line 3 of .*other is not a line of a recording"):
            list(Recording(other).passages())


@pytest.mark.parametrize(
    "line",
    [
        {"seconds": float("nan"), "way": "up"},
        {"seconds": float("inf"), "way": "up"},
        {"seconds": -1, "way": "up"},
        {"seconds": 10**400, "way": "up"},
        {"seconds": 1e10, "way": "up"},
        {"seconds": 1, "way": "sideways"},
        {"seconds": 1, "way": 7},
    ],
)
def test_recording_refuses_impossible_times_and_ways(trace: Path, line: dict) -> None:
    with trace.open("a") as file:
        file.write(json.dumps(line | {"received": "00", "sent": "00"}) + "\n")
    with pytest.raises(RecordingError, match="is not a line of a recording"):
        list(Recording(trace).passages())


def test_recording_refuses_deep_nesting(trace: Path) -> None:
    with trace.open("a") as file:
        file.write("[" * 100_000 + "\n")
    with pytest.raises(RecordingError, match="is not a line of a recording"):
        list(Recording(trace).passages())


def test_recording_refuses_what_may_have_no_end(trace: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in ("/dev/zero", tmp_path / "fifo", tmp_path):
        with pytest.raises(RecordingError, match=f"cannot read {path}: a recording is a regular file"):
            Recording(path)
    for start_of_file in (b"", trace.read_bytes()):
        with (tmp_path / "sparse").open("wb") as file:
            file.write(start_of_file)
            file.truncate(1 << 40)
        with pytest.raises(RecordingError, match=r"sparse is no recording: a line has over \d+ bytes"):
            list(Recording(tmp_path / "sparse").passages())


def test_recording_that_grows_while_it_is_read_ends(trace: Path) -> None:
    """Its own replay may be recorded into it."""
    count, line = len(list(Recording(trace).passages())), trace.read_bytes().splitlines(keepends=True)[1]
    read = []
    for passage in Recording(trace).passages():
        read.append(passage)
        assert len(read) <= count
        with trace.open("ab") as file:
            file.write(line)
    assert len(read) == count


def test_recorder_reports_full_disk_once(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot record to /dev/full: No space left on device"):
        Recorder("/dev/full", [], [], 0)
    path = tmp_path / "trace.jsonl"
    process = subprocess.Popen(
        # A limit on the file size simulates a disk that fills up.
        ["bash", "-c", f'ulimit -f 1; exec "{sys.executable}" -m channel_sim proxy '
         f'--board tcp://127.0.0.1:0 --listen tcp://127.0.0.1:0 --record "{path}"'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    host, board = connect(printed_url(process)), connect(printed_url(process))
    for byte in range(100):
        board.sendall(bytes((byte,)))
        assert read(host, 1) == bytes((byte,))  # the line continues
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "uplink 100 bytes, " in out
    assert err == f"inkling: cannot record to {path}: File too large; continuing without it\n"
    recorded = b"".join(Recording(path).uplink())
    assert 5 < len(recorded) < 100 and recorded == bytes(range(len(recorded)))


def test_recording_survives_killed_proxy(tmp_path: Path, bundle: Bundle, frames: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    process = start(
        "proxy", "--board", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0", "--record", path,
        "--bundle", bundle.path, "--channel", "frame-loss:p=0.2", "--ber", "0.01", "--seed", "5",
    )  # fmt: skip
    host, board = connect(printed_url(process)), connect(printed_url(process))
    expected = bad_link(bundle).feed(frames)
    board.sendall(frames)
    assert read(host, len(expected)) == expected
    host.sendall(b"command")
    assert read(board, 7) == b"command"
    process.kill()
    process.communicate(timeout=60)
    recording = Recording(path)
    assert recording.channel == ["bsc:ber=0.01", "frame-loss:p=0.2"] and recording.seed == 5
    assert b"".join(recording.uplink()) == frames and b"".join(recording.uplink("sent")) == expected
    assert [p.received for p in recording.passages() if p.way == "down"] == [b"command"]
    # The same trace through the same channel once more, from Python.
    again = bad_link(bundle)
    assert b"".join(map(again.feed, recording.uplink())) == expected


def test_recorder_records_traffic_and_times(tmp_path: Path, bundle: Bundle, frames: bytes) -> None:
    with Proxy("tcp://127.0.0.1:0", FrameLoss(0.0), bundles=[bundle]) as proxy:
        proxy.recorder = Recorder(tmp_path / "trace.jsonl", [], [], 0)
        board = connect(proxy.board.url)
        board.sendall(frames[:70])
        until(lambda: proxy.statistics.bytes_out == 70)  # the start of the second frame is settled in the end
        board.close()
        assert proxy.wait(60)
    passages = list(Recording(tmp_path / "trace.jsonl").passages())
    assert next(p for p in passages if p.received)[2:] == (frames[:70], frames[:12])
    assert passages[-1][2:] == (b"", frames[12:70]) and passages[-1].seconds - passages[0].seconds > 0.4


def replay(*arguments: str | Path) -> tuple[bytes, str, str, int]:
    """Return the bytes that a host gets, the last line of the command, its errors and its status."""
    process = start("replay", *arguments, "--listen", "tcp://127.0.0.1:0")
    with connect(printed_url(process)) as host:
        host.sendall(b"what a host asks is passed over")
        data = read_all(host)
    out, err = process.communicate(timeout=60)
    return data, out, err, process.returncode


def test_replay_sends_received_or_sent_bytes(trace: Path, frames: bytes) -> None:
    assert replay(trace) == (frames, f"replayed {len(frames)} bytes, 0 bits flipped, measured BER 0\n", "", 0)
    assert replay(trace, "--what", "sent")[0] == bytes(255 - byte for byte in frames)


def test_replay_through_any_channel(trace: Path, frames: bytes, bundle: Bundle) -> None:
    channel = ("--channel", "bsc:ber=0.01", "--channel", "frame-loss:p=0.2", "--seed", "5", "--bundle", bundle.path)
    assert replay(trace, *channel)[0] == bad_link(bundle).feed(frames)


def test_replay_flushes_where_proxy_did(tmp_path: Path, bundle: Bundle) -> None:
    recorder, frame = Recorder(tmp_path / "trace.jsonl", [], [], 0), make_frame(bundle, 1)
    for piece in (frame[:30], b"", frame[30:], frame):  # a board that stopped in the middle and then continued
        recorder.passed("up", piece, piece)
    received = replay(tmp_path / "trace.jsonl", "--channel", "frame-loss:p=1", "--bundle", bundle.path)[0]
    assert received == frame


def test_replay_at_recorded_speed(trace: Path, frames: bytes) -> None:
    passages = [p for p in Recording(trace).passages() if p.way == "up"]
    took = passages[-1].seconds - passages[0].seconds
    process = start("replay", trace, "--listen", "tcp://127.0.0.1:0", "--speed", "0.2")
    host = connect(printed_url(process))
    begin = time.monotonic()
    assert read_all(host) == frames
    assert took / 0.2 <= time.monotonic() - begin + 0.1
    host.close()
    assert process.wait(60) == 0


def test_replay_waits_for_slow_host(tmp_path: Path) -> None:
    data, recorder = bytes(1_000_000), Recorder(tmp_path / "trace.jsonl", [], [], 0)
    for _ in range(20):
        recorder.passed("up", data, b"")
    process = start("replay", tmp_path / "trace.jsonl", "--listen", "tcp://127.0.0.1:0")
    host = connect(printed_url(process))
    time.sleep(1)
    assert process.poll() is None
    assert len(read_all(host)) == 20_000_000
    assert process.poll() is None
    host.shutdown(socket.SHUT_RDWR)
    assert process.wait(60) == 0


def test_replay_mistakes_are_one_line(trace: Path) -> None:
    for arguments, message in (
        (("/no/such", "--listen", "tcp://127.0.0.1:0"), "cannot read /no/such: No such file or directory"),
        ((trace, "--listen", "pty"), "a replay needs --listen tcp://HOST:PORT, got pty"),
        ((trace, "--listen", "tcp://127.0.0.1:0", "--channel", "lora:snr=0"), "LoRa needs whole frames"),
    ):
        process = start("replay", *arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1 and out == "" and err.count("\n") == 1 and message in err


def test_replay_host_disconnects_is_one_line(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "trace.jsonl", [], [], 0)
    for _ in range(20):
        recorder.passed("up", bytes(1_000_000), b"")
    process = start("replay", tmp_path / "trace.jsonl", "--listen", "tcp://127.0.0.1:0")
    connect(printed_url(process)).close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err.startswith("inkling: the host disconnected during the replay: ")
    assert err.count("\n") == 1
