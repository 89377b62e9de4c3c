"""Reading of JSON files and checks of their values, for the readers of bundles and tasks."""

import json
import reprlib
from pathlib import Path
from typing import TypeGuard

MAX_JSON_BYTES = 16 << 20
SHOWN = 40  # characters of a value in a message


class ContentError(Exception):
    """A value in a file is wrong. The message is one line without the file's name, which the reader adds."""


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes. Raises ContentError.

    A device and a pipe have no end, and the holes of a sparse file take memory but no disk.
    """
    try:
        require(path.is_file() or not path.exists(), f"{path.name} is not a regular file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ContentError(f"{path.name} cannot be read ({error.strerror})") from None
    require(len(content) <= most, f"{path.name} has more than {most} bytes")
    return content


def read_object(path: Path) -> dict:
    """Return the JSON object in a file. Raises ContentError if it cannot be read or holds something else."""
    content = read_file(path, MAX_JSON_BYTES)
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError) as error:  # JSON, UTF-8, and nesting without end
        raise ContentError(f"{path.name} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ContentError(f"{path.name} is not a JSON object")
    return value


def require(condition: bool, message: str) -> None:
    """Raise ContentError if the condition does not hold."""
    if not condition:
        raise ContentError(message)


def require_printable(key: str, texts: list[str]) -> None:
    """Raise ContentError if a text has line breaks, terminal codes or characters that cannot be encoded.

    Commands print them.
    """
    wrong = next((text for text in texts if not text.isprintable()), None)
    require(wrong is None, f"{key} contains {shown(wrong)}, which is not printable")


def integers(values: dict, key: str, low: int, high: int, count: int | None = None, within: str = "") -> list[int]:
    """Return the list of integers low..high under a key; `count` of them, if given. Raises ContentError.

    within: the start of the key in messages, such as "answer.".
    """
    numbers = values.get(key)
    key = within + key
    if not isinstance(numbers, list) or not all(is_int(number) for number in numbers):
        raise ContentError(f"{key} is not a list of integers")
    require(count is None or len(numbers) == count, f"{key} has {len(numbers)} numbers, not {count}")
    wrong = next((number for number in numbers if not low <= number <= high), None)
    require(wrong is None, f"{key} contains {shown(wrong)}, which is not within {low}..{high}")
    return numbers


def is_int(value: object) -> TypeGuard[int]:
    """Return True for an integer that is not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object, expected: int) -> bool:
    """Return True for this integer; for 1, neither `true` nor 1.0 will do."""
    return is_int(value) and value == expected


def shown(value: object) -> str:
    """Return the repr of a value from a file, cut so that the message stays one short line."""
    text = _REPR.repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


# repr() itself fails for lists in lists in lists ...; these limits leave more than is shown.
_REPR = reprlib.Repr()
_REPR.maxlist = _REPR.maxdict = SHOWN
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 3 * SHOWN
