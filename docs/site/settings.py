"""A YAML file of conf/ as a table: names, values as they are written, and the comments that stand beside them."""

import re
from pathlib import Path
from typing import Any

import yaml

Options = dict[tuple[str, ...], tuple[str, str]]  # by the keys that lead there: the value, and its comment

LINE = re.compile(r"( *)([\w.]+):(?: +(.*?))?(?:\s+# (.*))?$")


def read_choice(path: Path, group: Path) -> Options:
    """The options of a choice, those of the choices that its `defaults` name included.

    Raises:
        ValueError: a line isn't understood, so that the table would not be the file's.
    """
    text = path.read_text(encoding="utf-8")
    loaded = yaml.safe_load(text) or {}
    options: Options = {}
    for parent in loaded.pop("defaults", ()):
        if isinstance(parent, str) and (group / f"{parent}.yaml").exists():
            options |= read_choice(group / f"{parent}.yaml", group)
    own = _read_lines(text)
    if _nested(own) != loaded:
        raise ValueError(f"{path}: read as {_nested(own)}, but it is {loaded}")
    return {**options, **own}


def read_head(path: Path) -> str:
    """The comment at the file's beginning, as Markdown; lines that are set in are code."""
    head = re.match(r"(#.*\n)*", path.read_text(encoding="utf-8"))
    lines = [line[2:] for line in head[0].splitlines() if not line.startswith("# @package")]
    text = ""
    for line in lines:
        if line.startswith("  "):
            text += ("\n\n    " if not text.endswith("\n") else "    ") + line.strip() + "\n"
        else:
            text += ("\n" if text.endswith("\n") else "") + escaped(line) + " "
    return text.strip()


def escaped(text: str) -> str:
    """What Markdown would take for a mark, outside of backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([<*|\[])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _read_lines(text: str) -> Options:
    options: Options = {}
    stack: list[tuple[int, str]] = []  # the keys that the line stands under, with their depth
    in_defaults = False
    for line in text.splitlines():
        if not (match := LINE.match(line)):
            continue
        depth, key, value, comment = len(match[1]), match[2], match[3], match[4]
        if depth == 0:
            in_defaults = key == "defaults"
        if in_defaults:
            continue
        stack = [entry for entry in stack if entry[0] < depth]
        if value is None or value.startswith("#"):
            stack.append((depth, key))
        else:
            options[(*(name for _, name in stack), key)] = (value, escaped(comment or ""))
    return options


def _nested(options: Options) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for (*above, key), (value, _) in options.items():
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[key] = yaml.safe_load(value)
    return tree
