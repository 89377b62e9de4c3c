"""The key file: what it holds, who can read it, what it refuses, and that no writer loses another's key."""

import json
import multiprocessing
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import HostError
from host.keys import key_file, lock
from host.keys.key_file import DeviceKeys, KeyFile, StoredKey, default_path
from host.keys.policy import Auth
from wire.secure.keys import Keys

KEY, OTHER, THIRD = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes of files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "keys.json"


def add(path: Path, device: int = 7, key: bytes = KEY, permanent: bool = True) -> None:
    """Store a key that a board has."""
    with KeyFile.edit(path) as file:
        file.add(device, key, permanent)


def test_key_file_keeps_what_is_stored(path: Path) -> None:
    with KeyFile.edit(path) as file:
        file.add(7, KEY, permanent=True)
        file.add(0, OTHER, permanent=False)
        file.demand(7, Auth.FULL)
        file.add_pending(7, THIRD, 5)
        file.revoke(0)
    read = KeyFile.load(path)
    assert read.devices == file.devices
    seven, zero = read.devices[7], read.devices[0]
    assert seven.candidates == [KEY, THIRD] and seven.permanent and not seven.revoked
    assert zero.candidates == [OTHER] and not zero.permanent and zero.revoked
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seven.pending[0].made)
    assert list(json.loads(path.read_text())["devices"]) == ["0", "7"]


def test_policies_have_the_keys_that_boards_have(path: Path) -> None:
    with KeyFile.edit(path) as file:
        file.add(1, KEY, permanent=True)
        file.demand(1, Auth.FULL)
        file.add_pending(1, OTHER, 5)
        file.add_pending(2, KEY, 5)
        file.add_pending(2, OTHER, 5)
        file.add(3, KEY, permanent=True)
        file.revoke(3)
    policies = KeyFile.load(path).policies
    assert policies[1].keys == Keys.derive(KEY) and policies[1].require == Auth.FULL
    assert policies[2].keys == Keys.derive(OTHER), "no plain frames: the board may have the newest key"
    assert policies[2].require == Auth.HEADER
    assert policies[3].keys is None


def test_counters_are_those_from_which_on_images_have_the_key(path: Path) -> None:
    with KeyFile.edit(path) as file:
        file.add(1, KEY, permanent=True, counter=70_000)
        file.add_pending(1, OTHER, 80_000)
        file.add_pending(2, KEY, 5)
        file.add_pending(2, OTHER, 6)
    assert KeyFile.load(path).counters == {1: 70_000, 2: 6}
    with KeyFile.edit(path) as file:
        file.add(1, OTHER, permanent=True)
        file.add(2, OTHER, permanent=True)
    assert KeyFile.load(path).counters == {1: 80_000, 2: 6}


def test_add_confirms_a_pending_key_and_drops_the_others(path: Path) -> None:
    with KeyFile.edit(path) as file:
        file.add(7, KEY, permanent=True)
        file.demand(7, Auth.FULL)
        file.add_pending(7, OTHER, 5)
        file.add_pending(7, THIRD, 5)
        made = file.devices[7].pending[0].made
        file.add(7, OTHER, permanent=True)
        assert file.devices[7] == DeviceKeys(StoredKey(OTHER, made, 5), (), Auth.FULL)


@pytest.mark.parametrize(("key", "revoked"), [(KEY, True), (OTHER, False)])
def test_only_a_new_key_ends_a_revocation(path: Path, key: bytes, revoked: bool) -> None:
    add(path)
    with KeyFile.edit(path) as file:
        file.revoke(7)
        file.add(7, key, permanent=True)
    assert KeyFile.load(path).devices[7].revoked == revoked


@pytest.mark.parametrize("change", [lambda file: file.revoke(9), lambda file: file.demand(9, Auth.FULL)])
def test_changes_of_a_device_without_a_key_are_refused(path: Path, change: Callable[[KeyFile], None]) -> None:
    add(path)
    before = path.read_bytes()
    with pytest.raises(HostError, match=r"keys\.json has no key of device 9; it has: 7$"), KeyFile.edit(path) as file:
        change(file)
    assert path.read_bytes() == before


def test_keys_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="16 bytes, got 15"), KeyFile.edit(path) as file:
        file.add_pending(7, bytes(15), 0)
    assert not path.exists()


@posix
def test_only_the_owner_can_read_the_file_at_any_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with an open umask, the temporary file, and one that an interrupted program has left."""
    modes: list[int] = []
    replace = os.replace

    def replaced(part: Path, file: Path) -> None:
        modes.append(os.stat(part).st_mode & 0o777)
        replace(part, file)

    monkeypatch.setattr(os, "replace", replaced)
    before = os.umask(0)
    try:
        path.parent.mkdir()
        left = path.with_name(".keys.json.part")
        left.write_text("")
        left.chmod(0o666)
        add(path)
    finally:
        os.umask(before)
    assert modes == [0o600] and path.stat().st_mode & 0o777 == 0o600
    assert path.with_name(".keys.json.lock").stat().st_mode & 0o777 == 0o600


@posix
def test_edit_makes_a_folder_for_the_owner(path: Path) -> None:
    add(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
def test_edit_keeps_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    add(real)
    path.parent.mkdir()
    path.symlink_to(real)
    add(path, device=8)
    assert path.is_symlink() and KeyFile.load(real).devices.keys() == {7, 8}


def test_only_the_default_file_may_be_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostError, match=r"^key file .*: keys\.json cannot be read \(No such file or directory\)$"):
        KeyFile.load(path)
    assert KeyFile.load(path, new=True).devices == {}
    monkeypatch.setattr(key_file, "default_path", lambda: path)
    assert KeyFile.load(path).policies == {} and not path.parent.exists(), "nothing is made"


def test_default_path_follows_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path() == tmp_path / "inkling" / "keys.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".config" / "inkling" / "keys.json"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "Roaming"))
    assert default_path() == tmp_path / "Roaming" / "inkling" / "keys.json"


def test_repr_shows_no_key(path: Path) -> None:
    add(path)
    with KeyFile.edit(path) as file:
        file.add_pending(7, OTHER, 5)
    shown = repr([file, file.devices, file.policies, vars(file)])
    for key in (KEY, OTHER):
        keys = Keys.derive(key)
        for secret in (key, keys.encryption, keys.authentication):
            assert secret.hex() not in shown and repr(secret)[2:-1] not in shown
    assert "made" in shown and "Auth.HEADER" in shown


def test_edit_keeps_the_old_file_if_it_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(path)
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left") as error:
        add(path, device=8)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before and not list(path.parent.glob("*.part"))


def add_many(path: Path, first: int, count: int) -> None:
    for device in range(first, first + count):
        add(path, device)


def test_concurrent_writers_lose_no_key(path: Path) -> None:
    """Each of four processes adds its own devices, with no pause between them."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_many, args=(path, 20 * n, 20)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(KeyFile.load(path).devices) == list(range(80))


def test_edit_waits_for_another_and_then_gives_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.1)
    message = f"^{re.escape(str(path))} is being changed by another process: try again$"
    with KeyFile.edit(path), pytest.raises(HostError, match=message):
        add(path)
    add(path)
    assert KeyFile.load(path).devices.keys() == {7}
