"""A short soak, and that its count would notice what it is there to notice."""

import io
import sys
from multiprocessing import Event, Pipe, Value
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.receiver import soak
from host.receive.stream import StreamReceiver
from tests.support.host import make_bundle
from tests.support.lines import line, plays
from wire.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("soak") / "default")


def test_a_short_soak(bundle: Bundle) -> None:
    figures = soak.soak(bundle.path, 15_000, 1, Console(file=io.StringIO()))
    print(figures)
    assert (figures["frames"], figures["lost_clean"], figures["crashes"]) == (15_000, 0, 0)
    assert figures["unharmed"] > 9_000 and figures["received"] > figures["clean"] > figures["unharmed"]
    assert figures["clean_by_chance"] <= 2 and figures["board_resets"] >= 1
    assert figures["rss_growth_bytes"] < 20e6


def test_the_plain_search_finds_what_was_sent_and_nothing_else(bundle: Bundle) -> None:
    library = soak.Library(bundle)
    frames = [library.frames[device, 3][chunk] for device in (0, 7, 49) for chunk in range(3)]
    damaged = bytearray(frames[0])
    damaged[40] ^= 1
    stream = b"\x1a\xcf".join([b"noise", *frames, bytes(damaged), frames[1][:30], frames[2]])
    for size in (1, 7, 100, len(stream)):
        finder = soak.Finder(library)
        found = [key for at in range(0, len(stream), size) for key in finder.feed(stream[at : at + size])]
        assert found == [library.keys[frame] for frame in [*frames, frames[2]]]


def test_a_receiver_that_misses_frames_is_noticed(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's part in this process, with a receiver that now and then drops a frame."""

    class Deaf(StreamReceiver):
        def feed(self, data: bytes) -> list:
            events = super().feed(data)
            return events[1:] if len(events) > 50 else events

    library = soak.Library(bundle)
    sent = [library.frames[device, s][0] for s in range(32) for device in range(50)]
    stop, (results, end) = Event(), Pipe(duplex=False)
    stop.set()
    monkeypatch.setattr(soak, "StreamReceiver", Deaf)
    with line(plays(b"".join(sent), hold=True)) as url:
        soak.listen(url, bundle.path, 0, Value("q", 0), Event(), stop, end)
    heard = results.recv()
    assert heard.unharmed > 100 and 0 < heard.lost_clean < 60 and heard.by_chance == 0


def test_bad_arguments_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["soak", "--bundle", str(tmp_path / "none"), "--out", str(tmp_path / "soak.json")])
    assert soak.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "soak.json").exists()
