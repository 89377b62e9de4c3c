"""Check of JSON values against the schemas of the API's own OpenAPI description: the part of JSON Schema it uses."""

from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
}  # fmt: skip
KNOWN = {
    "$ref", "anyOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items", "minimum",
    "maximum", "minLength", "maxLength", "default", "description",
}  # fmt: skip


def faults(value: object, schema: dict[str, Any], description: dict[str, Any], path: str = "$") -> list[str]:
    """Return what is wrong with a value, each fault with its place."""
    assert set(schema) <= KNOWN, f"{path}: the check does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        return faults(value, description["components"]["schemas"][schema["$ref"].rpartition("/")[2]], description, path)
    if "anyOf" in schema:
        every = [faults(value, one, description, path) for one in schema["anyOf"]]
        return [] if [] in every else every[0]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{path} is {value!r}, not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path} is {value!r}, not one of {schema['enum']}")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [*found, f"{path} is {value!r}, not of type {kinds}"]
    if isinstance(value, dict):
        found += _object_faults(value, schema, description, path)
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            found += faults(one, schema["items"], description, f"{path}[{number}]")
    return found


def _is(value: object, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


def _object_faults(value: dict, schema: dict[str, Any], description: dict[str, Any], path: str) -> list[str]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{path}.{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, one in value.items():
        if name in properties:
            found += faults(one, properties[name], description, f"{path}.{name}")
        elif more is False:
            found.append(f"{path}.{name} is not described")
        elif isinstance(more, dict):
            found += faults(one, more, description, f"{path}.{name}")
    return found
