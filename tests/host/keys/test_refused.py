"""Key files that are refused: malformed ones, in one line that shows no part of a key, and those of others."""

import copy
import json
import os
import re
from pathlib import Path

import pytest

from host.errors import HostError
from host.keys.key_file import KeyFile

KEY = bytes(range(16))
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes of files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "keys.json"


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_load_refuses_a_file_that_others_can_use(path: Path, mode: int) -> None:
    with KeyFile.edit(path) as file:
        file.add(7, KEY, permanent=True)
    path.chmod(mode)
    message = f"key file {path}: others can read or write it (mode {mode:o}): chmod 600 {path}"
    with pytest.raises(HostError, match=f"^{re.escape(message)}$"):
        KeyFile.load(path)


@posix
def test_what_is_no_regular_file_is_refused_without_advice_on_its_mode(path: Path) -> None:
    for make in (lambda: path.mkdir(parents=True, mode=0o755), lambda: os.mkfifo(path, 0o644)):
        make()
        for use in (KeyFile.load, edit_nothing):
            with pytest.raises(HostError, match=f"^key file {path}: keys.json is not a regular file$"):
                use(path)
        path.rmdir() if path.is_dir() else path.unlink()


GOOD = {"key": KEY.hex(), "made": "2026-11-30T12:00:00Z", "counter": 9}
DEVICE = {"current": GOOD, "pending": [], "require": "header", "revoked": False, "permanent": True}


def content(**changes: object) -> str:
    """Return a key file of device 7 with changed fields."""
    return json.dumps({"version": 1, "devices": {"7": {**DEVICE, **changes}}})


def without(field: str) -> str:
    """Return a key file of device 7 that lacks a field."""
    value = copy.deepcopy(DEVICE)
    del value[field]
    return json.dumps({"version": 1, "devices": {"7": value}})


SECRET = KEY.hex()
MALFORMED = [
    ("", "keys.json is not JSON (Expecting value: line 1 column 1 (char 0))"),
    (f'{{"{SECRET}', "is not JSON (Unterminated string starting at"),
    ("[1]", "keys.json is not a JSON object"),
    ("[" * 100_000, "is not JSON"),
    ('{"version": 2, "devices": {}}', "its version is not 1"),
    ('{"version": true, "devices": {}}', "its version is not 1"),
    ('{"version": 1, "devices": []}', "devices is not an object"),
    (f'{{"version": 1, "devices": {{"255": "{SECRET}"}}}}', "a device is not a number 0..254"),
    (f'{{"version": 1, "devices": {{"07": "{SECRET}"}}}}', "a device is not a number 0..254"),
    (f'{{"version": 1, "devices": {{"{SECRET}": 1}}}}', "a device is not a number 0..254"),
    ('{"version": 1, "devices": {"\u0667": {}}}', "a device is not a number 0..254"),
    (f'{{"version": 1, "devices": {{"7": "{SECRET}"}}}}', "device 7 does not have the fields current, pending, "),
    *((without(field), "device 7 does not have the fields current, pending, require, revoked, ") for field in DEVICE),
    (content(more=SECRET), "device 7 does not have the fields"),
    (content(current=SECRET), "device 7: current has not the fields key, made and counter"),
    (content(current={**GOOD, "key": SECRET[:-1]}), "device 7: current: key has not 32 hex digits"),
    (content(current={**GOOD, "key": SECRET + "0"}), "device 7: current: key has not 32 hex digits"),
    (content(current={**GOOD, "key": SECRET[:-1] + "g"}), "device 7: current: key has not 32 hex digits"),
    (content(current={**GOOD, "key": 7}), "device 7: current: key has not 32 hex digits"),
    (content(current={**GOOD, "made": SECRET}), "device 7: current: made is not a time such as 2026-11-30T12:00:00Z"),
    (content(current={**GOOD, "made": 7}), "device 7: current: made is not a time"),
    *(
        (content(current={**GOOD, "counter": n}), "device 7: current: counter is not a number of 32 bits")
        for n in (-1, 1 << 32, True, 1.0, SECRET)
    ),
    (content(pending=SECRET), "device 7: pending is not a list"),
    (content(pending=[SECRET]), "device 7: pending has not the fields key, made and counter"),
    (content(require=SECRET), "device 7: require is neither header nor full"),
    (content(require=[SECRET]), "device 7: require is neither header nor full"),
    (content(require="none"), "device 7: require is neither header nor full"),
    (content(revoked=SECRET), "device 7: revoked is neither true nor false"),
    (content(permanent=1), "device 7: permanent is neither true nor false"),
    (content(current=None), "device 7 has no key"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_files_are_one_line_without_key_material(path: Path, text: str, message: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    for use in (KeyFile.load, edit_nothing):
        with pytest.raises(HostError) as caught:
            use(path)
        shown = str(caught.value)
        assert shown.startswith(f"key file {path}: ") and message in shown and "\n" not in shown
        assert SECRET[:8] not in shown
        assert path.read_text() == text


def edit_nothing(path: Path) -> None:
    """Load and save the file."""
    with KeyFile.edit(path):
        pass


def test_good_content_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(content(pending=[GOOD]))
    path.chmod(0o600)
    assert KeyFile.load(path).devices[7].candidates == [KEY, KEY]
