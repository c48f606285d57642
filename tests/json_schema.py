"""The JSON Schemas of docs/schemas, and the part of JSON Schema that they use; a keyword of another part is refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

from conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "schemas"
_SAYING = {"$schema", "title", "description"}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def load_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def check(name: str, document: Any) -> None:
    """Fail unless the document, as JSON, is what the schema of this name describes."""
    faults = list(find_faults(load_schema(name), json.loads(json.dumps(document, allow_nan=False))))
    assert not faults, faults


def find_faults(schema: dict[str, Any], value: Any, where: str = "$") -> Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword not in _SAYING:
            yield from (f"{where}{fault}" for fault in _RULES[keyword](wanted, value, schema))


def _type(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if not any(_is(kind, value) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
        yield f": {value!r:.80} is no {wanted}"


def _is(kind: str, value: Any) -> bool:
    if kind in ("number", "integer"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and (kind == "number" or value == int(value))
    return isinstance(value, _TYPES[kind])


def _bound(fits: Any) -> Any:
    def rule(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
        if _is("number", value) and not fits(value, wanted):
            yield f": {value} is out of bounds"

    return rule


def _one_of(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if not any(value == one and type(value) is type(one) for one in wanted):
        yield f": {value!r:.80} is none of {wanted}"


def _any_of(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if all(any(find_faults(one, value)) for one in wanted):
        yield f": {value!r:.80} fits none"


def _required(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f".{name}: is missing" for name in wanted if name not in value)


def _properties(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, dict):
        for name in wanted.keys() & value.keys():
            yield from find_faults(wanted[name], value[name], f".{name}")


def _additional(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        if wanted is False:
            yield f".{name}: isn't described"
        else:
            yield from find_faults(wanted, value[name], f".{name}")


def _items(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    for k, item in enumerate(value if isinstance(value, list) else ()):
        yield from find_faults(wanted, item, f"[{k}]")


def _pattern(wanted: Any, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, str) and re.search(wanted, value) is None:
        yield f": {value!r:.80} doesn't match {wanted}"


_RULES = {
    "type": _type,
    "enum": _one_of,
    "const": lambda wanted, value, schema: _one_of([wanted], value, schema),
    "anyOf": _any_of,
    "minimum": _bound(lambda value, bound: value >= bound),
    "maximum": _bound(lambda value, bound: value <= bound),
    "exclusiveMaximum": _bound(lambda value, bound: value < bound),
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "pattern": _pattern,
}
