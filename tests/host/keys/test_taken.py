"""The file of images that commands took: its contents, its bounds, and what makes it unusable."""

import json
from pathlib import Path

import pytest

from host.errors import HostError
from host.keys import taken as module
from host.keys.taken import FAILED, MAX_RANGES, TakenImages

MARK, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_images_are_counted_within_any_limits(tmp_path: Path) -> None:
    file = TakenImages(tmp_path / "taken")
    counters = {5, 6, 7, 9, 300, 301}
    for counter in (6, 7, 9, 5, 300, 301, 301, 6):
        file.add(7, MARK, counter)
    for reader in (file, TakenImages(tmp_path / "taken")):
        for first in range(12):
            for last in (first, 8, 299, 300, 400):
                inside = sum(first <= counter <= last for counter in counters)
                assert reader.count(7, MARK, first, last) == inside, (first, last)
        assert reader.newest(7, MARK) == 301
        assert reader.newest(7, OTHER) is reader.newest(8, MARK) is None and reader.count(8, MARK, 0, 400) == 0
    assert (tmp_path / "taken").stat().st_mode & 0o777 == 0o600


def test_failed_commands_count_and_are_no_images(tmp_path: Path) -> None:
    file = TakenImages(tmp_path / "taken")
    file.add(7, MARK, 5)
    for counter in (6, 7):
        file.add(7, MARK, counter, FAILED)
    file.add(7, MARK, 8)
    for reader in (file, TakenImages(tmp_path / "taken")):
        assert reader.count(7, MARK, 0, 10) == 4
        assert [reader.was_received(7, MARK, counter) for counter in range(4, 10)] == [
            False,
            True,
            False,
            False,
            True,
            False,
        ]
        assert reader.newest(7, MARK) == 8
    file.add(7, MARK, 9, FAILED)
    assert file.newest(7, MARK) == 8


def test_another_key_forgets_the_images_of_its_device_only(tmp_path: Path) -> None:
    file = TakenImages(tmp_path / "taken")
    file.add(7, MARK, 5)
    file.add(8, MARK, 6)
    file.add(7, OTHER, 1)
    assert [file.newest(7, MARK), file.newest(7, OTHER), file.newest(8, MARK)] == [None, 1, 6]


def test_the_oldest_ranges_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_RANGES >= 1000
    monkeypatch.setattr(module, "MAX_RANGES", 3)
    file = TakenImages(tmp_path / "taken")
    for counter in range(0, 12, 2):
        file.add(7, MARK, counter)
    assert [file.count(7, MARK, counter, counter) for counter in range(0, 12, 2)] == [0, 0, 0, 1, 1, 1]


def test_a_reader_sees_what_another_process_adds(tmp_path: Path) -> None:
    reader, writer = TakenImages(tmp_path / "taken"), TakenImages(tmp_path / "taken")
    for counter in range(20):
        writer.add(7, MARK, counter)
        assert reader.newest(7, MARK) == counter
    (tmp_path / "taken").unlink()
    assert reader.newest(7, MARK) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ('{"version": 2, "devices": {}}', "its version is not 1"),
        ('{"version": 1, "devices": []}', "devices is not an object"),
        (
            '{"version": 1, "devices": {"255": {"key_mark": "", "received": [], "failed": []}}}',
            "a device is not a number 0..254",
        ),
        ('{"version": 1, "devices": {"7": {"key_mark": "", "more": []}}}', "device 7 has other fields"),
        ('{"version": 1, "devices": {"7": {"key_mark": 1, "received": [], "failed": []}}}', "key_mark is not a text"),
        ('{"version": 1, "devices": {"7": {"key_mark": "", "received": [], "failed": 1}}}', "device 7: ranges are not"),
        (
            '{"version": 1, "devices": {"7": {"key_mark": "", "received": [[5, 4]], "failed": []}}}',
            "device 7: ranges are not",
        ),
        (
            '{"version": 1, "devices": {"7": {"key_mark": "", "received": [[5, 6], [6, 7]], "failed": []}}}',
            "device 7: ranges are not",
        ),
        (
            '{"version": 1, "devices": {"7": {"key_mark": "", "received": [[5, 4294967296]], "failed": []}}}',
            "device 7: ranges are not",
        ),
        (
            '{"version": 1, "devices": {"7": {"key_mark": "", "received": [["5", 6]], "failed": []}}}',
            "device 7: ranges are not",
        ),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "taken"
    path.write_text(content)
    with pytest.raises(HostError) as raised:
        TakenImages(path)
    assert reason in str(raised.value) and str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_what_a_reader_knows_still_counts_if_the_file_is_damaged_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "taken"
    reader, writer = TakenImages(path), TakenImages(path)
    writer.add(7, MARK, 5)
    assert reader.was_received(7, MARK, 5)
    whole = path.read_text()
    path.write_text("{")
    for _ in range(3):
        assert reader.was_received(7, MARK, 5) and reader.count(7, MARK, 0, 9) == 1
    assert len(caplog.messages) == 1 and str(path) in caplog.messages[0]
    with pytest.raises(HostError):
        writer.add(7, MARK, 6)
    path.write_text(whole.replace("[5, 5]", "[5, 6]"))
    assert reader.was_received(7, MARK, 6)


def test_the_file_stays_small_when_a_command_takes_many_images(tmp_path: Path) -> None:
    file = TakenImages(tmp_path / "taken")
    for counter in range(50):
        file.add(7, MARK, counter)
    ranges = json.loads((tmp_path / "taken").read_text())["devices"]["7"]["received"]
    assert ranges == [[0, 49]]
