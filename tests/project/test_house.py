"""The house: few rooms, one layer order read from every import, no circle, small modules, a test for each module."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY

from docs.rooms import LAYERS, PICTURE, draw

PACKAGE = REPOSITORY / "sweeper"
TESTS = REPOSITORY / "tests"

# A room imports from lower rows of the picture alone.
LEVEL = {room: level for level, rooms in enumerate(reversed(LAYERS)) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "conf" not in path.relative_to(PACKAGE).parts)
NAMED = [path for path in MODULES if path.name not in ("__init__.py", "__main__.py")]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that `path` imports, anywhere in it: in functions and under TYPE_CHECKING, too."""
    known = {module_name(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sweeper."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sweeper":
            assert node.level == 0 and node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else node.module


def room(module: str) -> str:
    return module.split(".")[1]


def test_rooms_are_few_and_each_has_its_layer():
    entries = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    entries -= {"__init__", "__main__", "py.typed"}
    assert len(entries) <= 20
    assert entries == set(LEVEL)


def test_the_picture_of_the_rooms_is_of_this_code():
    assert PICTURE.read_text(encoding="utf-8") == draw(), "python docs/rooms.py draws it anew"


@pytest.mark.parametrize("path", NAMED, ids=lambda path: module_name(path).removeprefix("sweeper."))
def test_imports_go_down_alone(path):
    own = room(module_name(path))
    wrong = {
        module
        for module in imports(path)
        if module != "sweeper" and room(module) != own and LEVEL[room(module)] >= LEVEL[own]
    }
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    graph = {module_name(path): set(imports(path)) for path in NAMED}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_modules_are_small():
    lines = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in NAMED}
    assert statistics.median(lines.values()) < 150
    assert {module: count for module, count in lines.items() if count > 300} == {}


@pytest.mark.parametrize("path", NAMED, ids=lambda path: module_name(path).removeprefix("sweeper."))
def test_each_module_has_a_test_of_its_name(path):
    inside = path.relative_to(PACKAGE)
    assert (TESTS / inside.parent / f"test_{inside.name}").is_file()


def test_no_test_file_is_long():
    lines = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in TESTS.rglob("test_*.py")}
    assert {path: count for path, count in lines.items() if count > 300} == {}
