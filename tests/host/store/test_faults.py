"""Faults: kills, full disks, locks, damaged and foreign files, other versions, many readers."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host.errors import HostError
from host.store import database, schema
from host.store.query import ReadingQuery
from host.store.store import Store
from tests.host.store.records import TIME, reading, receptions, status
from tests.support import ROOT

WRITER = """
import sys
from pathlib import Path
from host.store.store import Store
from tests.host.store.records import reading, receptions, status
with Store(Path(sys.argv[1])) as store:
    for batch in range(int(sys.argv[2]), 1_000_000):
        store.write([reading(10 * batch + n, receptions=receptions(2)) for n in range(10)] + [status(batch)])
        print(batch, flush=True)
"""


def start_writer(path: Path, first: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def check_whole(path: Path) -> int:
    """Check that a store holds whole batches and consistent totals, and return the number of batches."""
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        shown, received, hours = (
            file.execute(f"SELECT {what}").fetchone()[0]
            for what in ("count(*) FROM shown", "count(*) FROM reception", "sum(readings) FROM hour")
        )
    file.close()
    with Store(path, read_only=True) as store:
        size, (device,) = store.size(), store.devices()
        newest = store.readings(ReadingQuery(limit=10))
    assert size.readings == 10 * size.statuses == shown == received / 2 == hours == device.readings
    assert [one.image_number for one in newest] == list(range(size.readings - 1, size.readings - 11, -1))
    return size.statuses


@pytest.mark.slow
def test_killed_writers_lose_nothing_that_was_written(path: Path) -> None:
    batches = 0
    for number in range(5):
        process = start_writer(path, batches)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= batches + 3 + 7 * number:
                    break
            time.sleep(0.003 * number)  # somewhere within the next batches
        finally:
            process.send_signal(signal.SIGKILL)
            rest = process.communicate(timeout=30)[0].split("\n")[:-1]
            told = int((rest or [line])[-1]) + 1
        batches = check_whole(path)
        assert batches >= told  # those that it had no time to tell of may be there, too


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_write_survives_a_full_disk(store: Store) -> None:
    import resource

    written = [reading(n) for n in range(50)]
    store.write(written)
    before, limits = store.size(), resource.getrlimit(resource.RLIMIT_FSIZE)
    used = max(file.stat().st_size for file in store.path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + 100_000, limits[1]))
    many = [reading(n, device=4, receptions=receptions(3)) for n in range(3000)]
    try:
        with pytest.raises(HostError) as error:
            store.write(many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(error.value).startswith(f"store {store.path} cannot be ") and str(error.value).isprintable()
    assert store.size().readings == before.readings == 50 and [one.number for one in store.devices()] == [3]
    store.write(many)
    assert store.size().readings == 3050 and len(store.devices()) == 2


def test_write_reports_a_full_database(store: Store) -> None:
    store.write([reading()])
    with store._database.writing() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(HostError, match="cannot be written: the disk is full"):
        store.write([reading(n, receptions=receptions(3)) for n in range(1000)])
    assert len(store.readings()) == 1


def test_write_waits_for_a_lock_and_then_reports_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.close()
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    with Store(store.path) as store:
        store.write([reading(1)])
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HostError, match="is locked by another process: end it, or try again"):
            store.write([reading(2)])
        assert len(store.readings()) == 1
        other.execute("ROLLBACK")
        other.close()
        store.write([reading(2)])
        assert len(store.readings()) == 2


def test_second_writer_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.keys.lock.WAIT_S", 0.1)
    with pytest.raises(HostError, match="is in use by another process: give each process its own"):
        Store(store.path)
    store.close()
    Store(store.path).close()


def test_reader_sees_what_another_process_writes(store: Store) -> None:
    with Store(store.path, read_only=True) as reader:
        assert reader.readings() == []
        store.write([reading(1)])
        assert len(reader.readings()) == 1
        with pytest.raises(HostError, match="open for reading only"):
            reader.write([reading(2)])


def test_readers_see_whole_batches_while_one_writes(store: Store) -> None:
    store.write([reading()])
    done, counts, faults = threading.Event(), [], []

    def read() -> None:
        try:
            while not done.is_set():
                found = store.readings(ReadingQuery(limit=1000))
                counts.append((len(found), sum(bucket.readings for bucket in store.history("home", 3, 0, 3e9, 1))))
        except Exception as error:  # the test shows it
            faults.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for batch in range(30):
        store.write([reading(1 + 10 * batch + n) for n in range(10)])
    done.set()
    for thread in threads:
        thread.join(timeout=30)
    assert not faults and all(count % 10 == 1 and total % 10 == 1 for count, total in counts)


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damaged_files_are_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(HostError) as error:
            Store(path, read_only=read_only)
        assert str(error.value).startswith(f"store {path} is damaged or no store (") and str(error.value).isprintable()
    assert path.read_bytes() == content


def test_files_of_other_programs_are_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE reading(key)")
    file.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(HostError, match="it is a file of another program: name another file"):
            Store(path, read_only=read_only)
    assert path.read_bytes() == before


def test_newer_stores_are_refused(store: Store) -> None:
    with store._database.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    store.close()
    for read_only in (False, True):
        with pytest.raises(HostError, match="it has version 99, and this program reads version 2: use a newer Inkling"):
            Store(store.path, read_only=read_only)


def test_older_stores_are_converted_by_a_writer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write([reading(), status()])
    store.close()
    more = ("ALTER TABLE reading ADD COLUMN colour TEXT;\nUPDATE reading SET colour = 'red';\n",)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS + more)
    with pytest.raises(
        HostError, match="it has version 2, and this program reads version 3: start inkling serve on it"
    ):
        Store(store.path, read_only=True)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "UPDATE missing SET a = 1;\n"))
    with pytest.raises(HostError, match="no such table: missing"):
        Store(store.path)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])  # nothing of the failed conversion is left
    with Store(store.path) as converted, Store(store.path, read_only=True) as reader:
        assert reader.readings() == converted.readings() == [reading()]
        with converted._database.reading() as connection:
            assert connection.execute("SELECT colour FROM reading").fetchall() == [("red",)]
            assert connection.execute("PRAGMA user_version").fetchone() == (3,)


def test_stores_without_totals_by_day_get_them(store: Store) -> None:
    for number in range(60):
        store.write([reading(number, time=TIME + 7_000 * number, label=f"class{number % 3}", lost=number % 2)])
        store.write([status(number, time=TIME + 7_000 * number)])
    with store._database.writing() as connection:
        days = connection.execute("SELECT * FROM day").fetchall()
        connection.execute("DROP TABLE day")
        connection.execute("PRAGMA user_version = 1")
    store.close()
    assert len(days) == 6
    with Store(store.path) as converted, converted._database.reading() as connection:
        found = connection.execute("SELECT * FROM day").fetchall()
    for before, after in zip(days, found, strict=True):
        assert after[:-1] == pytest.approx(before[:-1])
        assert json.loads(after[-1]) == json.loads(before[-1])


def test_missing_stores_are_not_made_by_readers(path: Path) -> None:
    with pytest.raises(HostError, match=f"there is no store {re.escape(str(path))}: inkling serve makes it"):
        Store(path, read_only=True)
    assert not path.parent.exists()
    path.parent.touch()
    with pytest.raises(HostError, match="cannot be used"):
        Store(path)


@pytest.mark.skipif(sys.platform == "win32", reason="another folder")
def test_default_path_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert database.default_path() == tmp_path / "inkling" / "readings.sqlite3"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert database.default_path() == Path(os.path.expanduser("~/.local/state/inkling/readings.sqlite3"))
