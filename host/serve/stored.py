"""Rows and queries of the store that the page uses."""

from host.store.devices import DeviceRow
from host.store.hours import ClassCount, HistoryBucket
from host.store.query import ReadingQuery, RecordQuery, StatusQuery
from host.store.store import LabelRow

__all__ = ["ClassCount", "DeviceRow", "HistoryBucket", "LabelRow", "ReadingQuery", "RecordQuery", "StatusQuery"]
