"""What the air knows, beside what a store has."""

from dataclasses import replace

import pytest

from benchmarks.serve_soak import truth
from benchmarks.serve_soak.truth import Truth
from host.site.records import ReadingRecord
from tests.host.secured import make_status
from tests.host.store.records import reading, status
from wire.answer import Answer
from wire.frame import AnswerHeader, FrameType, Header
from wire.replies.status import status_frame

NODE, GATEWAY, OTHER = 3, 200, 201
NOW = 1000.0


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Truth:
    """Two images, of which the second was damaged at both gateways, and a status."""
    monkeypatch.setattr(truth.time, "time", lambda: NOW)
    seen = Truth(frozenset({GATEWAY, OTHER}))
    answer = AnswerHeader(NODE, 7, 1, Answer(2, 9)).encode()
    features = Header(FrameType.FEATURE, NODE, 8, 1, 0).encode() + bytes(20)
    report = status_frame(make_status(9, uptime_s=60), NODE, 0x21, sync=False)
    lost = bytes(28)
    for packet, receptions in ((answer, (answer[:-1] + b"\0", answer)), (features, (lost, lost)), (report, (report,))):
        for gateway, received in zip((GATEWAY, OTHER), receptions, strict=False):
            seen.take("home", NODE, gateway, packet, received)
        seen.take("home", NODE, NODE + 1, packet, packet)  # another node hears it, too
    seen.take("home", GATEWAY, OTHER, report, report)
    return seen


def image(sequence: int, time: float = NOW + 1.0) -> ReadingRecord:
    return replace(reading(sequence, time=time), sequence=sequence)


def test_compare_finds_nothing_wrong(heard: Truth) -> None:
    counts = heard.compare([image(7), image(8)], [status(uptime_s=60)])
    assert counts == {
        "images": 2, "images_undamaged": 1, "undamaged_lost": 0, "damaged_lost": 0, "twice": 0, "statuses_undamaged": 1,
        "statuses_lost": 0, "misread": 0,
    }  # fmt: skip


def test_compare_finds_what_is_lost_twice_or_misread(heard: Truth) -> None:
    stored = [image(8), replace(image(8), id="again"), image(9), image(7, NOW + 90.0)]
    counts = heard.compare(stored, [status(uptime_s=61)])
    assert (counts["undamaged_lost"], counts["damaged_lost"], counts["twice"]) == (1, 0, 1)
    assert (counts["misread"], counts["statuses_lost"]) == (2, 1)
    assert heard.compare([], [])["damaged_lost"] == 1
