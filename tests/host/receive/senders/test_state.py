"""The state file: what a restarted host remembers, and files that cannot be used."""

import contextlib
import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from host.errors import HostError
from host.receive.frames import FrameParser
from host.receive.secured.devices import Accepted
from host.receive.senders.state import StateFile
from host.receive.senders.track import Certainty
from host.receive.stream import StreamReceiver
from tests.support.host import images, make_answer, make_frame, make_status, receive
from wire.bundle import Bundle
from wire.control import parse_control

INTERVAL_S = 60.0


class Host:
    """A host with a state file. Its own clock begins at 0, as after a reboot."""

    def __init__(self, path: Path, bundle: Bundle, unix: float) -> None:
        self._started, self.unix = unix, unix
        self.state = StateFile(path, self.clock, lambda: self.unix)
        self.parser = FrameParser([bundle], self.clock)
        self.parser.restore(self.state.load())
        self._receiver = StreamReceiver([bundle], self.parser)

    def clock(self) -> float:
        return self.unix - self._started

    def receive(self, unix: float, data: bytes) -> list:
        self.unix = unix
        places = [frame.place for frame in images(receive(self._receiver, data))]
        self.state.save(self.parser.sources, {*self.parser.sources})
        return places


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def host(path: Path, adaptive: Bundle) -> Iterator[Host]:
    """A host that has received 40 images, the last one at 1e9 seconds."""
    first = Host(path, adaptive, 1e9 - 40 * INTERVAL_S)
    for number in range(40):
        make = make_answer if number % 2 else make_frame
        first.receive(1e9 - (39 - number) * INTERVAL_S, make(adaptive, number))
    yield first
    first.state.close()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as another program does, and commit."""
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        yield file


def test_restarted_host_counts_no_false_gap(host: Host, path: Path, adaptive: Bundle) -> None:
    host.state.close()
    again = Host(path, adaptive, 1e9 + 10)
    (place,) = again.receive(1e9 + INTERVAL_S, make_frame(adaptive, 40))
    assert (place.lost, place.certainty, place.image_number, place.unexpected) == (0, Certainty.EXACT, 40, False)
    source = again.parser.sources[7, adaptive.model_id]
    assert (source.received, source.images) == (41, 41) and source.rhythm.interval_s == pytest.approx(INTERVAL_S)


def test_restarted_host_counts_what_it_missed(host: Host, path: Path, adaptive: Bundle) -> None:
    host.state.close()
    again = Host(path, adaptive, 1e9 + 20 * INTERVAL_S)
    (place,) = again.receive(1e9 + 25 * INTERVAL_S, make_frame(adaptive, 64))
    assert (place.lost, place.certainty) == (24, Certainty.EXACT)


@pytest.mark.parametrize("number", [39, 38, 30, 20])
def test_restarted_host_takes_no_replayed_frame_as_new(host: Host, path: Path, adaptive: Bundle, number: int) -> None:
    host.state.close()
    again = Host(path, adaptive, 1e9 + 100)
    make = make_answer if number % 2 else make_frame
    (place,) = again.receive(1e9 + 2.5 * INTERVAL_S, make(adaptive, number))
    assert place.duplicate and place.image_number == number
    fresh = Host(path.with_name("none.db"), adaptive, 1e9 + 100)
    assert not fresh.receive(1e9 + 150, make(adaptive, number))[0].duplicate, "without the state"


def test_state_keeps_counter_and_expected_headers(host: Host, path: Path, adaptive: Bundle) -> None:
    status = parse_control(make_status(40, sync=False))
    assert status is not None
    host.parser.take_status(status)
    host.state.save(host.parser.sources, {(7, adaptive.model_id)})
    before = host.parser.sources[7, adaptive.model_id]
    host.state.close()
    again = Host(path, adaptive, 1e9)
    source = again.parser.sources[7, adaptive.model_id]
    assert before.last_counter and source.last_counter == before.last_counter._replace(time=again.clock())
    assert source.expected_after == before.expected_after == [39 % 32]
    assert again.parser.headers.decode(make_frame(adaptive, 40)[4:12], 8), "a known device: more flips than by the code"


@pytest.mark.parametrize(("uptime_s", "goes_on"), [(3000 + 60, True), (30, False)])
def test_status_after_a_restart_of_the_host_tells_if_the_board_has_restarted(
    host: Host, path: Path, adaptive: Bundle, uptime_s: int, goes_on: bool
) -> None:
    """If the board has not restarted, a copy of the image before the status is recognised."""
    host.receive(1e9, make_status(40, uptime_s=3000))
    host.receive(1e9 + INTERVAL_S, make_frame(adaptive, 40))
    host.state.close()
    again = Host(path, adaptive, 1e9 + INTERVAL_S + 1)
    again.receive(1e9 + INTERVAL_S + 2, make_status(41, uptime_s))
    (place,) = again.receive(1e9 + INTERVAL_S + 3, make_frame(adaptive, 40))
    assert (place.duplicate, place.image_number == 40) == (goes_on, goes_on)


def test_state_that_does_not_say_when_the_status_came_is_used(host: Host, path: Path, adaptive: Bundle) -> None:
    """As earlier versions wrote it. The board may have restarted since."""
    host.receive(1e9, make_status(40, uptime_s=3000))
    host.state.close()
    with opened(path) as file:
        (text,) = file.execute("SELECT state FROM source").fetchone()
        state = json.loads(text)
        state["counter"].pop()
        file.execute("UPDATE source SET state = ?", (json.dumps(state),))
    again = Host(path, adaptive, 1e9 + 1)
    assert again.parser.sources[7, adaptive.model_id].tracks
    again.receive(1e9 + 2, make_status(40, uptime_s=3002))
    assert not again.parser.sources[7, adaptive.model_id].tracks, "its next image continues nothing"


def test_state_of_forgotten_sources_is_deleted(host: Host, adaptive: Bundle, path: Path) -> None:
    host.receive(2e9, make_frame(adaptive, 0, device=9))
    host.state.close()
    with opened(path) as file:
        assert file.execute("SELECT device FROM source").fetchall() == [(9,)]
        assert file.execute("SELECT DISTINCT device FROM image").fetchall() == [(9,)]


def test_clock_that_was_set_back_gives_no_negative_times(host: Host, path: Path, adaptive: Bundle) -> None:
    host.state.close()
    again = Host(path, adaptive, 5e8)
    (place,) = again.receive(5e8 + 1, make_frame(adaptive, 40))
    assert place.lost == 0 and again.parser.sources[7, adaptive.model_id].heard == 1.0


def _use_and_wait(path: Path, ready: Connection) -> None:
    state = StateFile(path)
    ready.send(state.load())
    signal.pause()


def test_second_process_is_refused_and_a_killed_one_leaves_a_usable_file(
    host: Host, path: Path, adaptive: Bundle
) -> None:
    host.state.close()
    context = multiprocessing.get_context("spawn")
    ready, other_end = context.Pipe(duplex=False)
    process = context.Process(target=_use_and_wait, args=(path, other_end), daemon=True)
    process.start()
    assert ready.poll(30) and len(ready.recv()) == 1
    with pytest.raises(HostError, match="is in use by another process"):
        StateFile(path)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert Host(path, adaptive, 1e9).parser.sources[7, adaptive.model_id].images == 40


def test_torn_and_foreign_files_are_refused(host: Host, path: Path, adaptive: Bundle, tmp_path: Path) -> None:
    host.state.close()
    content = path.read_bytes()
    for name, wrong in (("torn", content[: len(content) // 2]), ("text", b"readings\n" * 100), ("zero", bytes(5000))):
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(HostError, match=f"{name} is not a usable state file"):
            StateFile(tmp_path / name).load()
        assert (tmp_path / name).read_bytes() == wrong, "it may be something that its owner needs"
    with opened(tmp_path / "other") as file:
        file.execute("CREATE TABLE songs(title)")
    with pytest.raises(HostError, match=r"other is not a usable state file .it is a file of another program"):
        StateFile(tmp_path / "other")
    with pytest.raises(HostError, match=r"cannot use state file .*missing/state\.db: unable to open"):
        StateFile(tmp_path / "missing" / "state.db")


@pytest.mark.parametrize("damage", ["state = '{}'", "state = 'x'", "state = '[1]'", "model_id = NULL"])
def test_damaged_rows_are_refused(host: Host, path: Path, damage: str) -> None:
    host.state.close()
    with opened(path) as file:
        if "NULL" in damage:
            file.execute("DROP TABLE image")
        else:
            file.execute(f"UPDATE source SET {damage}")
    state = StateFile(path)
    with pytest.raises(HostError, match=r"is not a usable state file|cannot use state file"):
        state.load()
    state.close()


def test_file_of_a_later_version_is_refused(host: Host, path: Path) -> None:
    host.state.close()
    with opened(path) as file:
        file.execute("PRAGMA user_version = 3")
    with pytest.raises(HostError, match="it has version 3, and this program reads up to version 2"):
        StateFile(path)


def test_full_disk_keeps_the_last_state(host: Host, path: Path, adaptive: Bundle) -> None:
    """SQLite reports its own limit on the size of a file as it does a full disk."""
    pages = host.state._file.execute("PRAGMA page_count").fetchone()[0]
    host.state._file.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(HostError, match="database or disk is full"):
        for number in range(40, 80):
            for device in range(10):
                host.receive(1e9 + number * INTERVAL_S, make_frame(adaptive, number, device=device))
    host.state._file.execute("PRAGMA max_page_count = 100000")
    host.state.save(host.parser.sources, {*host.parser.sources})
    host.state.close()
    restored = Host(path, adaptive, 2e9).parser.sources
    assert {key: source.received for key, source in restored.items()} == {
        key: source.received for key, source in host.parser.sources.items()
    }


def test_accepted_counters_of_each_device_are_kept(path: Path) -> None:
    first, second = Accepted("a" * 16, 70_000, 3, 60), Accepted("b" * 16, (1 << 32) - 1)
    state = StateFile(path, for_keys=True)
    assert state.load_accepted() == {}
    state.save({}, set(), {1: first})
    state.save({}, set(), {2: second})
    state.save({}, set(), {1: first._replace(counter=70_001)})
    state.close()
    again = StateFile(path, for_keys=True)
    assert again.load_accepted() == {1: first._replace(counter=70_001), 2: second}
    again.close()


@pytest.mark.parametrize(("for_keys", "level"), [(True, 2), (False, 1)])
def test_file_for_keys_is_on_the_disk_when_a_save_returns_and_private(
    host: Host, path: Path, tmp_path: Path, for_keys: bool, level: int
) -> None:
    target = tmp_path / "keys.json.state"
    state = StateFile(target, for_keys=for_keys)
    assert state._file.execute("PRAGMA synchronous").fetchone() == (level,)
    state.save(host.parser.sources, {*host.parser.sources})
    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.glob("keys.json.state*")}
    assert len(modes) > 1 and all((mode == 0) == for_keys for mode in modes.values()), modes
    state.close()


def test_file_of_version_1_is_migrated(host: Host, path: Path, adaptive: Bundle) -> None:
    host.state.close()
    with opened(path) as file:
        for table in ("accepted", "link", "record", "packet"):
            file.execute(f"DROP TABLE {table}")
        file.execute("UPDATE source SET state = json_remove(state, '$.token')")
        file.execute("PRAGMA user_version = 1")
    for _ in range(2):
        state = StateFile(path)
        sources = state.load()
        assert state.load_accepted() == {} and sources[7, adaptive.model_id].token
        assert [state.read(f"SELECT * FROM {table}") for table in ("link", "record", "packet")] == [[], [], []]
        state.save(sources, {*sources})
        state.close()


def test_sources_keep_their_tokens(host: Host, path: Path) -> None:
    tokens = {key: source.token for key, source in host.parser.sources.items()}
    host.state.close()
    state = StateFile(path)
    assert tokens and {key: source.token for key, source in state.load().items()} == tokens
    state.close()


def test_damaged_counters_are_refused(path: Path) -> None:
    state = StateFile(path)
    state.save({}, set(), {1: Accepted("a" * 16, 5)})
    state.close()
    with opened(path) as file:
        file.execute("UPDATE accepted SET counter = 'x'")
    state = StateFile(path)
    with pytest.raises(HostError, match=r"is not a usable state file .its contents are damaged"):
        state.load_accepted()
    state.close()
