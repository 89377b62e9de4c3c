"""Settings: TOML tables into dataclasses. Unknown, missing and wrongly typed settings are errors of one line."""

import copy
import dataclasses
import json
import tomllib
import typing
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar

from train.errors import TrainError, unknown_name

T = TypeVar("T")


class Difference(NamedTuple):
    """A setting that two configs have with different values."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name} was {_shown(self.old)} and is now {_shown(self.new)}"


def build(cls: type[T], values: Any, where: str) -> T:  # noqa: ANN401 - any TOML value
    """Build the dataclass `cls` from plain dictionaries and lists. Raises TrainError, which starts with `where`."""
    if not isinstance(values, dict):
        raise TrainError(f"{where}: expected a table, found {values!r}")
    kinds = types(cls)
    for name, value in sorted(values.items()):
        if name not in kinds:
            kind = "table" if isinstance(value, dict) else "setting"
            raise unknown_name(f"{where}: unknown {kind}", name, kinds)
    for name in required(cls):
        if name not in values:
            raise TrainError(f"{where}: missing setting {name!r}")
    return cls(**{key: _convert(value, kinds[key], f"{where}: {key}") for key, value in values.items()})


def types(cls: type) -> dict[str, Any]:
    """Return the type of each field of a dataclass, by name, in the order of the fields."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def required(cls: type) -> list[str]:
    """Return the names of the fields without a default."""
    missing = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(cls) if f.default is missing and f.default_factory is missing]


def alternatives(kind: Any) -> list[Any]:  # noqa: ANN401 - any type
    """Return the types of a union without None, which the files of runs have for what the TOML left out."""
    is_union = isinstance(kind, UnionType)
    return [k for k in typing.get_args(kind) if k is not NoneType] if is_union else [kind]


def without_none(kind: Any) -> Any:  # noqa: ANN401 - any type
    """Return the type T of an optional setting `T | None`; other types as they are."""
    kinds = alternatives(kind)
    return kinds[0] if len(kinds) == 1 else kind


def _convert(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401 - any TOML value, any field's type
    if value is None and NoneType in typing.get_args(kind):  # config.json has None for what the TOML left out
        return None
    kinds = alternatives(kind)
    if type(value) in kinds:
        return value
    kind = kinds[0]
    if len(kinds) > 1:
        raise TrainError(f"{where}: expected {' or '.join(k.__name__ for k in kinds)}, found {value!r}")
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, where)
    if typing.get_origin(kind) is tuple:
        kinds = list(typing.get_args(kind))
        if not isinstance(value, list | tuple):
            raise TrainError(f"{where}: expected a list, found {value!r}")
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) != len(kinds):
            raise TrainError(f"{where}: expected {len(kinds)} values, found {list(value)!r}")
        return tuple(_convert(v, k, where) for v, k in zip(value, kinds, strict=True))
    if typing.get_origin(kind) is dict:  # the options of a split codec, which are built on their own
        kind = dict
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise TrainError(f"{where}: the number has hundreds of digits") from None
    if type(value) is not kind:
        raise TrainError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def override(cls: type, values: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return the tables of a config of type `cls` with assignments such as `schedule.epochs=5`, in TOML's syntax.

    Raises TrainError for an unknown setting or a wrong value.
    """
    values = copy.deepcopy(values)
    for text in assignments:
        name, equals, raw = text.partition("=")
        if not equals:
            raise TrainError(f"--set {text}: expected NAME=VALUE, as in schedule.epochs=5")
        try:
            parsed = tomllib.loads(f"value = {raw}")
        except (ValueError, RecursionError):  # not TOML, a number of thousands of digits, lists without end
            parsed = {}
        if parsed.keys() != {"value"}:
            raise TrainError(f"--set {text}: not a TOML value; a text needs quotes, as in 'data.name=\"cifar10\"'")
        _place(cls, values, [key.strip() for key in name.split(".")], parsed["value"], f"--set {name.strip()}")
    return values


def _place(kind: Any, table: dict[str, Any], keys: list[str], value: Any, where: str) -> None:  # noqa: ANN401
    # kind: the dataclass of `table`, or None for a table of any settings.
    key, rest = keys[0], keys[1:]
    kinds = types(kind) if kind else None
    if kinds is not None and key not in kinds:
        raise unknown_name(f"{where}: unknown setting", key, kinds)
    own = without_none(kinds[key]) if kinds else None
    if not rest:
        if kinds is not None:
            _convert(value, kinds[key], where)
        table[key] = value
        return
    is_free = own is None or typing.get_origin(own) is dict
    if not is_free and not dataclasses.is_dataclass(own):
        raise TrainError(f"{where}: {key} is a setting, not a table")
    inner = table.setdefault(key, {})
    if isinstance(inner, dict):  # else `build` refuses the file
        _place(None if is_free else own, inner, rest, value, where)


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[Difference]:
    """Return the settings that differ between two configs as plain dictionaries (`RunConfig.as_dict`)."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        one, two = (json.loads(json.dumps(values.get(key))) for values in (old, new))
        if isinstance(one, dict) and isinstance(two, dict):
            found += differences(one, two, f"{prefix}{key}.")
        elif one != two:
            found.append(Difference(f"{prefix}{key}", one, two))
    return found


def _shown(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if value is None:
        return "unset"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file. `name` defaults to the file's name without its suffix."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"cannot read config {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not TOML or UTF-8, thousands of digits, lists without end
        raise TrainError(f"{path} is not valid TOML: {error}") from None
    return {"name": path.stem, **values}


def read_run(folder: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the values in config.json of a run's folder."""
    try:
        return json.loads((folder / "config.json").read_text())
    except OSError as error:
        raise TrainError(f"{folder} is not a run: cannot read config.json: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TrainError(f"{folder} is not a run: config.json is not JSON: {error}") from None


def check(rules: dict[str, bool], where: str) -> None:
    """Raise TrainError for the first rule that does not hold."""
    for rule, holds in rules.items():
        if not holds:
            raise TrainError(f"{where}: {rule}")
