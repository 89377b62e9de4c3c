"""JSON schemas of records and rows, from their dataclasses."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from host.serve.api.lessons import Progress
from host.serve.interface import BundleInfo, DeviceRow, HistoryBucket, LabelRow, Lesson
from host.site.records import EventRecord, Json, ReadingRecord, Reception, Record, StatusRecord, TaskAnswer

SIMPLE = {int: "integer", float: "number", str: "string", bool: "boolean"}
DATACLASSES = (
    Reception, TaskAnswer, ReadingRecord, StatusRecord, EventRecord, DeviceRow, HistoryBucket, LabelRow, BundleInfo,
    Lesson, Progress,
)  # fmt: skip
NAMED = {"name": {"type": ["string", "null"]}, "area": {"type": ["string", "null"]}}


def reference(kind: type) -> Json:
    """Return a reference to the schema of a dataclass."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def schemas() -> Json:
    """Return the schemas of all dataclasses that the API sends and takes."""
    found = {kind.__name__: _schema(kind) for kind in DATACLASSES}
    # What the API adds: the names that people gave devices, and the labels that they gave readings.
    found["DeviceRow"] = _with(found["DeviceRow"], NAMED)
    found["ReadingRecord"] = _with(found["ReadingRecord"], {"human_label": {"type": ["string", "null"]}})
    found["Lesson"]["required"] = ["model_id", "task", "reading_ids"]
    found["Error"] = objects(error={"type": "string"})
    return found


def objects(**properties: Json) -> Json:
    """Return the schema of an object with these properties, all of them required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def lists(items: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def _with(schema: Json, properties: Json) -> Json:
    return objects(**schema["properties"], **properties)


def _schema(kind: type) -> Json:
    hints = get_type_hints(kind)
    properties = {one.name: _of(hints[one.name]) for one in fields(kind)}
    if issubclass(kind, Record):
        properties = {"kind": {"const": kind.kind}, **properties}
    return objects(**properties)


def _of(kind: Any) -> Json:  # noqa: ANN401 - fields of any type
    """Return the schema of a type that the fields of dataclasses have."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return reference(kind)
    if origin is UnionType and NoneType in arguments and len(arguments) == 2:
        schema = _of(next(one for one in arguments if one is not NoneType))
        return {"type": [schema["type"], "null"]} | {k: v for k, v in schema.items() if k != "type"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return lists(_of(arguments[0]))
    if origin in (Mapping, dict):
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    raise TypeError(f"no schema for {kind}")
