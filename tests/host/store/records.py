"""Records for the tests of the store."""

import string
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from host.site.records import EventRecord, ReadingRecord, Reception, StatusRecord, TaskAnswer

TIME = 1_790_000_000.0
SYMBOLS = tuple(range(8)) * 6

_READING = ReadingRecord(
    id="home-3-0", site="home", time=TIME, device=3, bundle="general", model_id="58e3c1f2", image_number=0, sequence=0,
    frame="features", label="cat", index=3, confidence=0.75, answered_by="host", unsure=False, auth="none", ber=0.01,
    payload_ber=0.02, symbols=SYMBOLS, answer_word=None, crc_ok=True, lost=0, lost_certainty="exact", lost_total=0,
    lost_total_certainty="exact", duplicate=False, late=False, unexpected=False,
    receptions=(Reception("north", TIME, 0.01, True, -7.5, -110.0),),
)  # fmt: skip
_STATUS = StatusRecord(
    "home-3-status-0", "home", TIME, 3, False, 12, 3600, None, "watchdog", "adaptive", 12, 3.5, 1.5, 60, "north", -3.0,
    None,
)  # fmt: skip
_EVENT = EventRecord("home-event-0", "home", TIME, "silent", "nothing from device 3", 3, False, {"seconds": 300.5})


def reading(number: int = 0, device: int = 3, site: str = "home", **changes: Any) -> ReadingRecord:  # noqa: ANN401
    """Return reading `number` of a device, `number` seconds after TIME."""
    changes = {"time": TIME + number, "image_number": number, **changes}
    return replace(_READING, id=changes.pop("id", f"{site}-{device}-{number}"), site=site, device=device, **changes)


def status(number: int = 0, device: int = 3, site: str = "home", **changes: Any) -> StatusRecord:  # noqa: ANN401
    """Return status `number` of a device, `number` seconds after TIME."""
    changes = {"id": f"{site}-{device}-status-{number}", "time": TIME + number, **changes}
    return replace(_STATUS, site=site, device=device, **changes)


def event(number: int = 0, **changes: Any) -> EventRecord:  # noqa: ANN401
    """Return event `number`, `number` seconds after TIME."""
    return replace(_EVENT, **{"id": f"home-event-{number}", "time": TIME + number, **changes})


def receptions(count: int) -> tuple[Reception, ...]:
    """Return receptions by so many gateways."""
    return tuple(Reception(f"g{number}", TIME + number, 0.1, None, float(number), None) for number in range(count))


texts = st.text(string.ascii_letters + " äñ漢字'\",;=\\🦊", min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
integers = st.integers(-(1 << 40), 1 << 40)
flags = st.booleans()
times = st.floats(0, 4e9)
symbols = st.one_of(
    st.just(()), st.lists(st.integers(-1, 7), min_size=1, max_size=60).map(tuple),
    st.lists(st.integers(-1, 255), min_size=1, max_size=60).map(tuple),
)  # fmt: skip
_receptions = st.builds(Reception, texts, times, numbers, st.none() | flags, st.none() | numbers, st.none() | numbers)
_answers = st.builds(TaskAnswer, st.none() | texts, st.none() | integers, st.none() | numbers)
readings = st.builds(
    ReadingRecord,
    id=texts.map(str.strip).filter(bool),
    site=texts, time=times, device=st.integers(0, 254), bundle=texts, model_id=texts, image_number=integers,
    sequence=integers, frame=texts, label=st.none() | texts, index=st.none() | integers, confidence=st.none() | numbers,
    answered_by=texts, unsure=flags, auth=texts, ber=numbers, payload_ber=numbers, symbols=symbols,
    answer_word=st.none() | integers, receptions=st.lists(_receptions, max_size=4).map(tuple), crc_ok=st.none() | flags,
    lost=integers, lost_certainty=texts, lost_total=integers, lost_total_certainty=texts, duplicate=flags, late=flags,
    unexpected=flags, tasks=st.dictionaries(texts, _answers, max_size=3),
)  # fmt: skip
