"""Writes `docs/schemas/conf/`, by which editors check YAML of your own groups and presets, from the types of
`sweeper/config/schema.py`: `python docs/editor_schemas.py`. A test holds them against the code."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from sweeper.config.overrides import FREE_NODES
from sweeper.config.schema import Config, DatasetConfig, DeviceConfig, NoiseConfig

FOLDER = Path(__file__).resolve().parent / "schemas" / "conf"
_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}
_INTERPOLATION = {"type": "string", "pattern": r"\$\{"}
_OF_HYDRA = {"defaults": {"type": "array"}}


def schemas() -> dict[str, dict[str, Any]]:
    """By the group's name."""
    of_class = {"_target_": {"type": "string"}, "_partial_": {"const": True}}
    free = {"type": "object", "properties": of_class | _OF_HYDRA, "required": ["_target_", "_partial_"]}
    found = {group: free for group in FREE_NODES}
    by_name = {
        "properties": of_class | {"_target_": {"type": ["string", "null"]}} | _OF_HYDRA
    }  # `any` has no class yet
    found["optimizer"] = free | by_name
    for group, node in (("dataset", DatasetConfig), ("device", DeviceConfig), ("noise", NoiseConfig)):
        found[group] = _of_node(node)
    whole = _of_node(Config)
    whole["properties"] |= {"hydra": {"type": "object"}}
    found["experiment"] = whole
    return {name: {"title": f"sweeper: {name}/*.yaml", **schema} for name, schema in found.items()}


def _of_node(node: type) -> dict[str, Any]:
    hints = get_type_hints(node)
    properties = {field.name: _of_type(hints[field.name]) for field in fields(node)}  # type: ignore[arg-type]
    return {"type": "object", "properties": properties | _OF_HYDRA, "additionalProperties": False}


def _of_type(kind: Any) -> dict[str, Any]:
    if kind is Any:
        return {}
    if is_dataclass(kind):
        return _of_node(kind)  # type: ignore[arg-type]
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if str in kinds:
        return {"type": ["string", "boolean"]}  # compile: true
    return {"anyOf": [{"type": [_TYPES[one] for one in kinds]}, _INTERPOLATION]}


def text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / f"{name}.json").write_text(text(schema), encoding="utf-8")
