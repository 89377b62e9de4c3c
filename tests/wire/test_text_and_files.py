"""Text that is shown, files that grow by JSON lines, and errors that name the file."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support import ROOT
from wire.control import Info
from wire.files import JsonLines, naming, to_json, write_whole
from wire.text import printable

LIMIT = 100  # bytes that fit into a file


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can grow beyond LIMIT bytes. Part of a write may succeed, as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_to_json_writes_null_for_what_json_lacks() -> None:
    value = {"a": math.nan, "b": [math.inf, (-math.inf, 1.5)], "c": {"d": np.float64("nan")}, "e": "NaN"}
    text = to_json(value)
    assert text == '{"a": null, "b": [null, [null, 1.5]], "c": {"d": null}, "e": "NaN"}'
    assert to_json({"я": "\udcff"}).isascii() and to_json([1], indent=1) == "[\n 1\n]"


def test_append_makes_the_file_and_adds_whole_lines(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "a.jsonl")
    lines.append()
    assert (tmp_path / "a.jsonl").read_bytes() == b""
    lines.append({"a": 1}, {"b": "кот"})
    lines.append({"c": math.nan})
    assert (tmp_path / "a.jsonl").read_text().splitlines() == [
        '{"a": 1}',
        '{"b": "\\u043a\\u043e\\u0442"}',
        '{"c": null}',
    ]


@pytest.mark.parametrize("end", [b'{"time": 17', b"\0\0\0", b'{"whole": true}'])
def test_append_begins_a_line_after_a_torn_end(tmp_path: Path, end: bytes) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"a": 1}\n' + end)
    JsonLines(file).append({"b": 2})
    assert file.read_bytes() == b'{"a": 1}\n' + end + b'\n{"b": 2}\n'


def test_append_removes_what_did_not_fit(tmp_path: Path, full_disk: None) -> None:
    lines = JsonLines(tmp_path / "a.jsonl")
    lines.append({"a": "x" * 50})
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(OSError, match="File too large") as error:
        lines.append({"b": "y" * 50})
    assert error.value.filename == str(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == before
    lines.append({"c": 1})
    assert [list(json.loads(line)) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [["a"], ["c"]]


def test_append_writes_to_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    JsonLines(tmp_path / "pipe").append({"a": 1})
    assert os.read(reader, 100) == b'{"a": 1}\n'
    os.close(reader)


def test_append_to_a_stream_begins_a_line_after_a_torn_one(tmp_path: Path, full_disk: None) -> None:
    """As `>> readings.jsonl` on a full disk. What was written in part cannot be removed."""
    file = tmp_path / "a.jsonl"
    with file.open("ab", buffering=0) as stream:
        lines = JsonLines("standard output", stream)
        lines.append({"a": "x" * 50})
        with pytest.raises(OSError, match="File too large: 'standard output'"):
            lines.append({"b": "y" * 50})
        assert file.stat().st_size == LIMIT
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * LIMIT, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        lines.append({"c": 1})
        lines.append({"d": 1})
    whole, torn, *later = file.read_text().splitlines()
    assert json.loads(whole) == {"a": "x" * 50} and torn.startswith('{"b"') and later == ['{"c": 1}', '{"d": 1}']


def test_append_to_a_stream_counts_on_no_reader() -> None:
    """A pipe that another program has set to non-blocking, and that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with open(reader, "rb"), open(writer, "wb", buffering=0) as stream:
        lines = JsonLines("standard output", stream)
        with pytest.raises(BlockingIOError, match="its reader is too slow"):
            while True:
                lines.append({"a": "x" * 4000})


def test_naming_adds_the_file_to_errors_of_writing(tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(OSError, match="File too large") as error, naming("a.txt"):
        (tmp_path / "part").write_bytes(bytes(2 * LIMIT))
    assert error.value.filename == "a.txt"
    with pytest.raises(OSError, match=r"a\.npy"), naming("a.npy"):  # numpy's error has neither number nor file
        np.save(tmp_path / "part.npy", np.zeros(100))
    with pytest.raises(FileNotFoundError) as missing, naming("a.txt"):
        (tmp_path / "none").read_bytes()
    assert missing.value.filename == str(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("кот [/] :cat: 50 °C", "кот [/] :cat: 50 °C"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x1b]0;title\x07\x9b2J", "\\x1b]0;title\\x07\\x9b2J"),
        ("right\u202eleft\u200b\u2028", "right\\u202eleft\\u200b\\u2028"),
        ("file-\udcff", "file-\\udcff"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),
        ("\U000e0041\ue000", "\\U000e0041\\ue000"),
    ],
)
def test_printable_escapes_all_but_text(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_info_escapes_the_texts_of_a_board() -> None:
    data = bytearray(Info.FORMAT.size)
    data[8:16], data[16:40] = b"\x1b[31m\0\0\0", b"a\nb".ljust(24, b"\0")
    info = Info.unpack(bytes(data))
    assert (info.engine, info.target) == ("\\x1b[31m", "a\\nb")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
def test_commands_escape_what_the_encoding_lacks(encoding: str) -> None:
    """A message with a file name in Cyrillic, and with bytes that are none."""
    words: list[str | bytes] = [
        sys.executable,
        "-m",
        "inkling",
        "info",
        "--port",
        "loop://",
        "--bundle",
        b"/\xd0\x96\n\xff",
    ]
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1", "PATH": ""}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, env=environment, check=False)
    name = "Ж" if encoding == "utf-8" else "\\u0416"
    assert (done.returncode, done.stderr.decode(encoding)) == (
        1,
        f"inkling: bundle /{name}\\n\\udcff: no such folder\n",
    )


@pytest.mark.parametrize("private", [False, True])
def test_write_whole_keeps_the_old_file_on_a_full_disk(tmp_path: Path, full_disk: None, private: bool) -> None:
    file = tmp_path / "a"
    write_whole(file, b"before", private)
    with pytest.raises(OSError, match="File too large") as error:
        write_whole(file, bytes(2 * LIMIT), private)
    assert error.value.filename == str(file)
    assert file.read_bytes() == b"before" and list(tmp_path.iterdir()) == [file]


def test_write_whole_private_is_for_the_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"before")
    file.chmod(0o666)
    write_whole(file, b"after", private=True)
    assert file.read_bytes() == b"after" and file.stat().st_mode & 0o777 == 0o600
