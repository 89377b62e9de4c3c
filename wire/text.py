"""Text from strangers: bundles, boards, files and other programs bring names and lines that commands show."""

import io
import sys
import unicodedata
from pathlib import PurePath


def printable(text: str | PurePath) -> str:
    """Return a text or path as one line that a terminal only shows, with the escapes of Python for other characters.

    These are line breaks, terminal codes, characters that change the direction of text or are invisible, and the
    surrogates that stand for undecodable bytes. Spaces of all widths stay.
    """
    text = str(text)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def escape_unencodable() -> None:
    """Let standard output and standard errors escape what their encoding lacks, instead of raising an error.

    A class name in Cyrillic must not end a receiver whose output is a file in Windows-1252.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
