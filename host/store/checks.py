"""Checks of records before they are stored: they may come from a broker, and one must not spoil the others."""

import math
from collections.abc import Mapping

from host.site.records import AnyRecord, EventRecord, ReadingRecord, Reception, Record, TaskAnswer
from wire.checks import ContentError, require, shown

MAX_TEXT, MAX_EVENT_TEXT, MAX_LABEL = 200, 2000, 64  # characters
MAX_INTEGER = (1 << 63) - 1
MAX_TIME = float(1 << 33)  # Unix time: the year 2242
MAX_RECEPTIONS, MAX_TASKS = 1000, 100


def check_record(record: AnyRecord) -> None:
    """Raise ContentError if a record has values that cannot be stored or shown."""
    require(bool(record.id) and bool(record.site), "id or site is empty")
    require(record.id == record.id.strip(), f"id {shown(record.id)} has spaces around it")
    if not 0 <= record.time < MAX_TIME:
        raise ContentError(f"time is {shown(record.time)}")
    _check_fields(record)
    if isinstance(record, ReadingRecord):
        require(len(record.receptions) <= MAX_RECEPTIONS, f"it has {len(record.receptions)} receptions")
        require(len(record.tasks) <= MAX_TASKS, f"it has {len(record.tasks)} tasks")
        require("" not in (record.label, *record.tasks), "the name of a class or task is empty")
        for reception in record.receptions:
            _check_fields(reception)
        for task, answer in record.tasks.items():
            _check_value("task", task)
            require(answer.label != "", "the name of a class is empty")
            _check_fields(answer)


def check_label(label: str) -> str:
    """Return a human's label without spaces around it. Raises ContentError if it is empty, long or not printable."""
    label = label.strip()
    require(bool(label), "a label has at least one character")
    require(len(label) <= MAX_LABEL, f"label {shown(label)} has {len(label)} characters, more than {MAX_LABEL}")
    require(label.isprintable(), f"label {shown(label)} has characters that cannot be printed")
    return label


def _check_fields(values: Record | Reception | TaskAnswer) -> None:
    for name, value in vars(values).items():
        _check_value(name, value)
    if isinstance(values, EventRecord):
        require(isinstance(values.values, Mapping), "values is not an object")


def _check_value(name: str, value: object) -> None:
    if isinstance(value, str):
        most = MAX_EVENT_TEXT if name == "text" else MAX_TEXT
        if len(value) > most:
            raise ContentError(f"{name} has {len(value)} characters, more than {most}")
        if not value.isprintable():
            raise ContentError(f"{name} is {shown(value)}, which is not printable")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ContentError(f"{name} is {shown(value)}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ContentError(f"{name} is {shown(value)}")
