"""Arguments, exit statuses and files of figures, which the benchmarks' commands share."""

import hashlib
import json
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from host.cli.arguments import at_least_one
from wire.bundle import Bundle
from wire.errors import InklingError
from wire.files import to_json, write_whole
from wire.text import escape_unencodable, printable

_FLAT_LIST = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]")
_LINE_BREAK = re.compile(r",\n\s*")
BUNDLE, RESULTS = Path("bundles/cifar10"), Path("benchmarks/results")


def add_bundle(parser: ArgumentParser) -> None:
    """Add --bundle."""
    parser.add_argument("--bundle", type=Path, default=BUNDLE, metavar="DIR", help="bundle (default: %(default)s)")


def add_count(parser: ArgumentParser, name: str, default: int, text: str) -> None:
    """Add a number of at least 1."""
    parser.add_argument(name, type=at_least_one, default=default, metavar="N", help=f"{text} (default: %(default)s)")


def add_seed(parser: ArgumentParser, default: int = 0, text: str = "random seed") -> None:
    """Add --seed."""
    parser.add_argument("--seed", type=seed, default=default, metavar="N", help=f"{text} (default: %(default)s)")


def add_path(parser: ArgumentParser, name: str, default: Path | str, text: str) -> None:
    """Add a file or folder."""
    metavar = "DIR" if text.startswith("folder") else "FILE"
    parser.add_argument(name, type=Path, default=Path(default), metavar=metavar, help=f"{text} (default: %(default)s)")


def add_boards(parser: ArgumentParser, metavar: str, text: str) -> None:
    """Add --boards, other boards than the bundle's that classify alone."""
    parser.add_argument("--boards", nargs="*", type=Path, default=[], metavar=metavar, help=f"opponents: {text}")


def paths_option(name: str, paths: Sequence[Path]) -> str:
    """Return an option such as --boards as it was given, with a space before it; empty without paths."""
    return f" {name} {' '.join(map(shown_path, paths))}" if paths else ""


def shown_path(path: Path) -> str:
    """Return a path for a recorded command; one below INKLING_DATA begins with this variable instead of its value."""
    data = os.environ.get("INKLING_DATA")
    return f"$INKLING_DATA/{path.relative_to(data)}" if data and path.is_relative_to(data) else str(path)


def add_out(parser: ArgumentParser, name: str) -> None:
    """Add --out for a benchmark of one bundle, whose default is `result_file`."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"file for the figures (default: {RESULTS / name}.json, or {name}_NAME.json for another bundle)",
    )


def result_file(name: str, bundle: Path) -> Path:
    """Return the file of a benchmark's figures: those of the default bundle have the benchmark's name."""
    return RESULTS / (f"{name}.json" if bundle == BUNDLE else f"{name}_{bundle.name}.json")


def kept_name(bundle: Bundle) -> str:
    """Return a bundle's name in folders of kept results, which are those of this bundle.json only.

    The model_id is what the board runs. Decoder, chunks, threshold and data set can change under it.
    """
    manifest = json.dumps(bundle.manifest, sort_keys=True).encode()  # with the SHA-256 of every file
    return f"{bundle.model_id}-{hashlib.sha256(manifest).hexdigest()[:8]}"


def kept_array(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array in a file. Without the file, make the array and keep it there."""
    if file.is_file():
        return np.load(file)
    array = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npy")
    np.save(part, array)
    part.replace(file)
    return array


def kept_figures(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON object in a file. Without the file, make the object and keep it there.

    Raises ResultsError if the file is damaged.
    """
    if not file.is_file():
        write_json(file, make())
    return read_json(file)


def seed(text: str) -> int:
    """Parse a random seed, an integer of at least 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"must be an integer of at least 0, got {text!r}")
    return int(text)


def execute(name: str, run: Callable[[], int | None], resumable: bool = False) -> int:
    """Run a command and return its exit status. Errors that users can act on are printed as one line.

    run: returns an exit status; None is 0. resumable: the same command resumes an interrupted one.
    """
    escape_unencodable()
    try:
        return run() or 0
    except (InklingError, OSError) as error:
        print(f"{name}: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        hint = "; run the same command again to resume" if resumable else ""
        print(f"\n{name}: interrupted{hint}", file=sys.stderr)
        return 130


class ResultsError(InklingError):
    """Figures are missing, damaged or of different models."""


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object of a file. Raises ResultsError if it is missing or damaged."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ResultsError(f"{file} is missing") from None
    except (OSError, ValueError, TypeError) as error:
        raise ResultsError(f"{file} cannot be read ({error})") from None


def write_json(file: Path, figures: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write figures to a JSON file, all or nothing, and make its folder if it is missing.

    A list of numbers and strings stays on one line.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    text = _FLAT_LIST.sub(lambda found: f"[{_LINE_BREAK.sub(', ', found[1])}]", to_json(figures, indent=1))
    write_whole(file, f"{text}\n".encode())
