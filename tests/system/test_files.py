"""One module writes, moves and removes: no other does, but for what lies in no folder of runs."""

import ast
import os
from pathlib import Path

import pytest
from conftest import REPOSITORY

from sweeper.system import files
from sweeper.system.files import (
    create_whole,
    move,
    read_start,
    remove_file,
    remove_leftovers,
    say_what_failed,
    write_atomically,
    write_mark,
)

OWNER = "sweeper/system/files.py"
METHODS = {"unlink", "mkdir", "rmdir", "touch", "rename", "write_text", "write_bytes", "symlink_to", "hardlink_to"}
METHODS |= {"makedirs", "removedirs", "renames", "rmtree", "copytree", "copyfile", "copy2", "truncate", "tofile"}
METHODS |= {"TemporaryFile", "NamedTemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp", "savefig"}
OF_MODULES = {("os", "replace"), ("os", "remove"), ("os", "link"), ("os", "symlink"), ("os", "open"), ("os", "mkfifo")}
OF_MODULES |= {("shutil", "move"), ("shutil", "copy"), ("OmegaConf", "save"), ("torch", "save")}

ALLOWED = {
    (
        "sweeper/runs/access.py",
        "TemporaryFile",
    ): "tries whether a folder can be written; has no name and leaves nothing",
    ("sweeper/system/child.py", "TemporaryFile"): "holds what a command prints; has no name and leaves nothing",
    ("sweeper/tune/steps.py", "TemporaryFile"): "tries whether a folder can be written; has no name and leaves nothing",
    ("sweeper/doctor/facts.py", "TemporaryFile"): "measures a disk; has no name and leaves nothing",
    ("sweeper/system/process_start.py", "open"): "/dev/null, in the place of an output that is closed",
    ("sweeper/system/terminal.py", "open"): "/dev/null, in the place of an output that nobody reads any more",
    ("sweeper/report/drawing.py", "savefig"): "into memory",
    ("sweeper/train/threads.py", "open"): "the locks of a sweep's cores, in the system's temporary folder",
    ("sweeper/plan/worker.py", "open"): "/dev/null, likewise",
    ("sweeper/runs/directory.py", "save"): "into memory",
    ("sweeper/engine/trial.py", "save"): "into memory",
    ("sweeper/system/temporary_folder.py", "TemporaryDirectory"): "trials, in the system's temporary folder",
    ("sweeper/train/hydra_hooks.py", "save"): "multirun.yaml, as Hydra's own sweepers write it",
}


def writing_call(node: ast.Call) -> str | None:
    """The name of a call that may write, move or remove a file; None of any other."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
    if name in METHODS or (owner, name) in OF_MODULES:
        return name
    if name == "replace" and isinstance(function, ast.Attribute) and len(node.args) == 1 and not node.keywords:
        return name  # of a path; a text's has two arguments
    if name == "open":
        place = 1 if isinstance(function, ast.Name) else 0
        modes = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "mode")]
        if owner == "Image":  # Pillow's, which reads
            return None
        if any(not isinstance(m, ast.Constant) or set(str(m.value)) & set("wax+") for m in modes):
            return name
    return None


def writing_calls(source: str) -> list[str]:
    return [name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and (name := writing_call(node))]


def test_no_other_module_writes_moves_or_removes_files():
    found = set()
    for folder in ("sweeper", "hydra_plugins"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            file = path.relative_to(REPOSITORY).as_posix()
            found |= {(file, name) for name in writing_calls(path.read_text()) if file != OWNER}
    assert found == set(ALLOWED), "what isn't listed belongs into sweeper/system/files.py; what is listed must be there"


@pytest.mark.parametrize(
    "line",
    [
        "path.unlink()",
        "(folder / name).unlink(missing_ok=True)",
        "os.replace(a, b)",
        "a.replace(b)",
        "open(path, 'w')",
        "open(path, mode='a')",
        "path.open('xb')",
        "open(path, mode)",
        "shutil.rmtree(folder)",
        "Path(x).write_text('')",
        "os.remove(x)",
        "os.open(path, flags)",
        "tempfile.mkdtemp()",
    ],
)
def test_such_a_call_is_seen(line):
    assert len(writing_calls(line)) == 1


@pytest.mark.parametrize("line", ["open(path)", "open(path, 'rb')", "text.replace('a', 'b')", "path.open()", "f(x)"])
def test_reading_is_no_writing(line):
    assert writing_calls(line) == []


def test_a_file_is_created_once(tmp_path: Path):
    assert create_whole(tmp_path / "lock", "first") and not create_whole(tmp_path / "lock", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["lock"] and (tmp_path / "lock").read_text() == "first"


def test_the_start_of_a_file_is_read_whatever_its_size(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"abc")
    assert read_start(tmp_path / "file", 2) == b"ab" and read_start(tmp_path / "file", 9) == b"abc"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        read_start(tmp_path / "pipe", 2)


def test_moving_replaces_and_removing_again_is_well(tmp_path: Path):
    for name in "ab":
        write_mark(tmp_path / name, name)
    move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a" and not (tmp_path / "a").exists()
    for _ in range(2):
        remove_file(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_not_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["run.json"]


def test_files_that_belong_together_are_written_all_or_none(tmp_path, monkeypatch):
    old, new = ({tmp_path / name: content for name in ("results.csv", "summary.csv")} for content in (b"old", b"new"))
    files.write_together(old)
    fsync, written = os.fsync, []

    def full_at_the_second(descriptor: int) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(descriptor)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full_at_the_second)
        with pytest.raises(OSError, match="No space left") as failure:
            files.write_together(new)
    assert failure.value.filename == str(tmp_path / "summary.csv")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old
    files.write_together(new)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == new


def test_what_a_killed_writer_left_is_removed_however_it_is_dated(tmp_path):
    """As on a file server whose clock is ahead of this machine's."""
    left = tmp_path / ".run.json-0123abcd"
    left.touch()
    os.utime(left, (2**32, 2**32))
    remove_leftovers(tmp_path, {"run.json"}, older_than=60)
    assert left.exists()
    remove_leftovers(tmp_path, {"run.json"})
    assert not left.exists()


def test_what_vanishes_or_can_not_be_removed_ends_no_tidying(tmp_path):
    left = [tmp_path / f".run.json-0123abc{digit}" for digit in "0123456789"]
    for path in left[:5]:
        path.touch()
    for path in left[5:]:
        path.mkdir()
    remove_leftovers(tmp_path, {"run.json"})
    assert sorted(tmp_path.iterdir()) == left[5:]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(2, "No such file or directory", "a/b"), "a/b: No such file or directory"),
        (OSError("first\nsecond"), "first second"),
        (OSError(), "OSError"),
    ],
)
def test_what_failed_is_one_line(error, words):
    assert say_what_failed(error) == words
