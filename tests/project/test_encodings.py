"""Every text file is read and written in UTF-8, whatever the machine's own encoding is."""

import ast

import pytest
from conftest import REPOSITORY

FILES = sorted(
    file for room in ("sweeper", "hydra_plugins", "benchmarks", "docs") for file in (REPOSITORY / room).rglob("*.py")
)


def without_encoding(source: str) -> list[int]:
    """The lines of calls that open a file as text in the machine's encoding. Ruff's rule PLW1514 finds those whose
    type it can infer."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or "encoding" in (given := {k.arg: k.value for k in node.keywords}):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        whose = getattr(getattr(node.func, "value", None), "id", "")
        texts = [value.value for value in (*node.args, *given.values()) if isinstance(value, ast.Constant)]
        binary = any(isinstance(text, str) and "b" in text and set(text) <= set("rwaxb+") for text in texts)
        opens = name in ("open", "fdopen") and (whose, name) not in (("os", "open"), ("Image", "open"))
        if (
            name in ("read_text", "write_text")
            or (opens and not binary)
            or (isinstance(given.get("text"), ast.Constant) and given["text"].value is True)
        ):
            found.append(node.lineno)
    return found


def test_what_is_looked_for():
    found = "path.read_text()\nopen(p)\np.open('w')\nos.fdopen(3)\nrun(c, text=True)"
    assert without_encoding(found) == [1, 2, 3, 4, 5]
    assert without_encoding("open(p, 'rb')\nos.open(p, 0)\nopen(p, encoding='utf-8')\nrun(c)\np.read_bytes()") == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(REPOSITORY).as_posix())
def test_text_files_name_their_encoding(file):
    assert without_encoding(file.read_text(encoding="utf-8")) == []
