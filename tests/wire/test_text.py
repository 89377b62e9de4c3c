"""Text from strangers, made fit for a terminal."""

import subprocess
import sys

import pytest

from tests.support import ROOT
from wire.control import Info
from wire.text import printable


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
