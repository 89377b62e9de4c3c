"""JSON schemas of records and rows, from their dataclasses."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from host.serve.api.lessons import Progress
from host.serve.interface import BundleInfo, Lesson
from host.serve.stored import ClassCount, HistoryBucket, LabelRow
from host.site.records import EventRecord, Json, ReadingRecord, Reception, Record, StatusRecord, TaskAnswer

SIMPLE = {int: "integer", float: "number", str: "string", bool: "boolean"}
DATACLASSES = (
    Reception, TaskAnswer, ReadingRecord, StatusRecord, EventRecord, ClassCount, HistoryBucket, LabelRow, BundleInfo,
    Lesson, Progress,
)  # fmt: skip
NAME: Json = {"type": ["string", "null"]}


def reference(kind: type) -> Json:
    """Return a reference to the schema of a dataclass."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def schemas() -> Json:
    """Return the schemas of all dataclasses that the API sends and takes."""
    found = {kind.__name__: _schema(kind) for kind in DATACLASSES}
    found["LabelledReading"] = objects(**found["ReadingRecord"]["properties"], human_label=NAME)
    found["Device"] = _device()
    found["Lesson"]["required"] = ["model_id", "task", "labels"]
    found["Error"] = objects(error={"type": "string"})
    return found


def objects(**properties: Json) -> Json:
    """Return the schema of an object with these properties, all of them required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def lists(items: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def _device() -> Json:
    time, flag = {"type": "number"}, {"type": "boolean"}
    return objects(
        site={"type": "string"}, device={"type": "integer"}, gateway=flag, name=NAME, area=NAME, first_seen=time,
        last_seen=time, readings={"type": "integer"}, silent_since={"type": ["number", "null"]}, clash=flag,
        reading=_or_null(ReadingRecord), status=_or_null(StatusRecord),
    )  # fmt: skip


def _or_null(kind: type) -> Json:
    return {"anyOf": [reference(kind), {"type": "null"}]}


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
