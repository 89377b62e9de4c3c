"""Files that are written as a whole or line by line, and errors that name the file."""

import contextlib
import errno
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Add the path of a file to an OSError that has none: those of writing have none, such as of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno or 0, error.strerror or str(error), str(path)) from None
        raise


def write_whole(file: Path, content: bytes | memoryview, private: bool = False) -> None:
    """Write a file completely or not at all: an earlier one stays. Raises OSError, which names the file.

    private: nobody but its owner can read it at any time (not on Windows, which has no such modes), and it is on the
    disk when this returns: a loss of power then loses neither the new nor the earlier one.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        with naming(file):
            if private:
                _write_private(part, content)
            else:
                part.write_bytes(content)
            os.replace(part, file)
            if private and os.name == "posix":
                _sync_folder(file.parent)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _write_private(file: Path, content: bytes | memoryview) -> None:
    file.unlink(missing_ok=True)  # one that an interrupted program has left may be open to others
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Let a new name in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, in ASCII. Numbers that JSON does not have, NaN and infinities, become null."""
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_with_nulls(value), indent=indent, allow_nan=False)


def _with_nulls(value: Any) -> Any:  # noqa: ANN401 - whatever json can write
    if isinstance(value, Mapping):
        return {key: _with_nulls(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_nulls(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class JsonLines:
    """File that grows by JSON lines, whole ones. It is opened for each of them, so that it can be moved away.

    Records are never joined: after a line without an end, which a power cut or another program has left, a new line is
    begun. A line that does not fit on the disk is removed again.
    """

    def __init__(self, path: str | Path, stream: BinaryIO | io.RawIOBase | None = None) -> None:
        """Write to the file at a path, or to an open, unbuffered stream, whose name in errors `path` is then."""
        self.path = path
        self._stream = stream
        self._torn = False  # the last line of a stream or pipe, from which nothing can be removed

    def append(self, *records: Mapping[str, object]) -> None:
        """Append records, or only make the file if there are none. Raises OSError, which names the file."""
        data = "".join(to_json(record) + "\n" for record in records).encode("ascii")
        if self._stream:
            self._append(self._stream, data, regular=False)
            return
        regular = os.path.isfile(self.path) or not os.path.exists(self.path)  # else a pipe or a device
        with naming(self.path), open(self.path, "a+b" if regular else "ab", buffering=0) as file:
            self._append(file, data, regular)

    def _append(self, file: BinaryIO | io.RawIOBase, data: bytes, regular: bool) -> None:
        start, written = file.seek(0, os.SEEK_END) if regular else 0, 0
        if start:
            file.seek(start - 1)
            self._torn = file.read(1) != b"\n"
        if data and self._torn:
            data = b"\n" + data
        try:
            while written < len(data):
                count = file.write(data[written:])
                if count is None:  # a stream that does not wait for its reader
                    raise BlockingIOError(errno.EAGAIN, "its reader is too slow")
                written += count
        except OSError as error:
            self._torn = self._torn or written > 0
            if regular:
                with contextlib.suppress(OSError):
                    if file.seek(0, os.SEEK_END) == start + written:  # else another program has appended, too
                        file.truncate(start)
            error.filename = error.filename or str(self.path)
            raise
        self._torn = False
