"""Reading of JSON files and checks of their values, for the readers of bundles and tasks."""

import json
from pathlib import Path
from typing import TypeGuard


class ContentError(Exception):
    """A value in a file is wrong. The message is one line without the file's name, which the reader adds."""


def read_object(path: Path) -> dict:
    """Return the JSON object in a file. Raises ContentError if it cannot be read or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContentError(f"{path.name} cannot be read ({error.strerror})") from None
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


def shown(value: object) -> str:
    """Return the repr of a value from a file, cut so that the message stays one short line."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
