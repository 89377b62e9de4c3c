"""A short soak, and proof that it detects the faults that it looks for."""

import io
import multiprocessing
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.receiver import soak
from benchmarks.receiver.library import Finder, PlainLibrary, SecuredLibrary
from host.board.port import Port
from host.receive.events import Event
from host.receive.stream import StreamReceiver
from tests.support.host import features, make_bundle
from tests.support.lines import fake_line, sends
from wire.bundle import Bundle
from wire.secure.frames import SecuredLayout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("soak") / "default")


@pytest.mark.slow
@pytest.mark.parametrize("secured", [False, True])
def test_soak_loses_no_undamaged_frame(bundle: Bundle, secured: bool) -> None:
    figures = soak.soak(bundle.path, 15_000, 1, Console(file=io.StringIO()), secured)
    assert (figures["frames"], figures["lost_clean"], figures["crashes"]) == (15_000, 0, 0)
    assert figures["unharmed"] > 9_000 and figures["received"] > figures["clean"] > figures["unharmed"]
    assert figures["clean_by_chance"] <= 2 and figures["board_resets"] >= 1
    assert figures["rss_growth_bytes"] < 20e6


def test_finder_finds_undamaged_frames_only(bundle: Bundle) -> None:
    library = PlainLibrary(bundle)
    frames = [library.frames[device, 3][chunk] for device in (0, 7, 49) for chunk in range(3)]
    damaged = bytearray(frames[0])
    damaged[40] ^= 1
    stream = b"\x1a\xcf".join([b"noise", *frames, bytes(damaged), frames[1][:30], frames[2]])
    for size in (1, 7, 100, len(stream)):
        finder = Finder(library)
        found = [key for at in range(0, len(stream), size) for key in finder.feed(stream[at : at + size])]
        assert found == [library.keys[frame] for frame in [*frames, frames[2]]]


def test_finder_follows_the_counters_of_secured_frames(bundle: Bundle) -> None:
    library, rng = SecuredLibrary(bundle), np.random.default_rng(0)
    images = [(device, counter) for counter in (1, 2, 2, 9, 8, 50, 65, 144) for device in (0, 49)]
    frames = [library.frame(*image, rng) for image in images]
    assert len(set(frames)) == 14 and {len(frame) for frame in frames} == {
        SecuredLayout(bundle.chunk_bits(chunk)).serial_size for chunk in range(3)
    }
    damaged = bytearray(frames[-1])
    damaged[-1] ^= 1  # of the payload tag
    stream = b"\x1a\xcf".join([b"noise", *frames, bytes(damaged), frames[-1][:30]])
    for size in (1, 100, len(stream)):
        finder = Finder(library)
        found = [key for at in range(0, len(stream), size) for key in finder.feed(stream[at : at + size])]
        assert [key[:2] for key in found] == images


@pytest.mark.parametrize("kind", [PlainLibrary, SecuredLibrary])
def test_finder_finishes_with_a_frame_behind_a_truncated_one(
    bundle: Bundle, kind: type[PlainLibrary | SecuredLibrary]
) -> None:
    library, rng = kind(bundle), np.random.default_rng(0)
    whole = next(frame for n in range(99) if len(frame := library.frame(7, n, rng)) < library.longest)
    finder = Finder(library)
    assert finder.feed(whole[:14] + whole) == []  # the first one may still become a longer frame
    (key,) = finder.finish()
    assert key[0] == 7 and finder.finish() == finder.feed(whole[20:]) == []


def test_library_takes_only_undamaged_frames_of_a_receiver(bundle: Bundle) -> None:
    for library in (PlainLibrary(bundle), SecuredLibrary(bundle)):
        receiver, rng = StreamReceiver([bundle], policies=library.policies), np.random.default_rng(0)
        sent = [library.frame(7, number, rng) for number in range(1, 4)]
        tag_or_header = bytearray(sent[1])
        tag_or_header[13] ^= 1
        payload = bytearray(sent[2])
        payload[-8] ^= 1
        events = features(receiver.feed(b"".join([sent[0], tag_or_header, payload])) + receiver.flush())
        keys = [library.key_of(event) for event in events]
        assert keys[0] == Finder(library).feed(sent[0])[0] and keys[2] is None and len(keys) == 3
        assert keys[1] is None or isinstance(library, PlainLibrary)  # there, byte 13 is of the payload


def test_boards_wait_for_a_slow_host_and_give_up_bytes_only_after_silence(bundle: Bundle) -> None:
    boards, silences = soak.Boards(PlainLibrary(bundle), 20_000, 1), multiprocessing.Value("q", 0)
    sender = threading.Thread(target=boards.run, args=(lambda written: written, silences), daemon=True)
    with Port(boards.url):  # nothing is read: all that was written stays unread
        sender.start()
        time.sleep(2.5)
        waiting = boards.sent
        silences.value = soak.SILENCES
        time.sleep(0.5)
        assert 0 < waiting < boards.sent < 4 * waiting


def test_listen_counts_frames_that_a_receiver_misses(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the host's part in this process, with a receiver that drops some frames."""

    class Forgetful(StreamReceiver):
        def feed(self, data: bytes) -> list[Event]:
            events = super().feed(data)
            return events[1:] if len(events) > 50 else events

    library = PlainLibrary(bundle)
    sent = [library.frames[device, s][0] for s in range(32) for device in range(50)]
    stop, (results, end) = multiprocessing.Event(), multiprocessing.Pipe(duplex=False)
    stop.set()
    read, silences = multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
    control = soak.HostControl(read, silences, multiprocessing.Event(), stop, end)
    monkeypatch.setattr(soak, "StreamReceiver", Forgetful)
    with fake_line(sends(b"".join(sent), hold=True)) as url:
        soak.listen(url, bundle.path, False, 0, control)
    counts = results.recv()
    assert counts.undamaged > 100 and 0 < counts.lost_clean < 60 and counts.by_chance == 0


def test_main_without_bundle_prints_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["soak", "--bundle", str(tmp_path / "none"), "--out", str(tmp_path / "soak.json")])
    assert soak.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "soak.json").exists()
