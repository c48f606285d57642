"""No name leaves the output folder or makes a path that some system can't have."""

import re

import pytest
from made_runs import make_config

from sweeper.runs.identity import run_name

NAMES = [
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "x" * 300,
    "😀",
    "a\nb",
    "a\0b",
    " ",
    "",
    ".hidden",
    "-rf",
]
NAMES += ["CON", "nul", "com1", "con.v2", "LPT9.x", "a:b", "a*?", "trailing.", "trailing ", "~", "$HOME", "\u202egnp"]
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(10))}


@pytest.mark.parametrize("group", ["dataset", "model", "optimizer", "noise"])
@pytest.mark.parametrize("name", NAMES)
def test_a_choice_of_any_name_has_a_directory_two_below_outputs(group, name):
    """On any system: a POSIX shell, a Mac, Windows with its reserved names."""
    config = make_config()
    config[group]["name"] = name
    parts = run_name(config).split("/")
    assert len(parts) == 2
    for part in parts:
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", part) and not part.endswith(".") and len(part) < 150
        assert part.partition(".")[0].lower() not in RESERVED


@pytest.mark.parametrize("value", ["..", "../../etc/passwd", "/etc/passwd", "'😀'", "con.v2", "x" * 300, "a/b"])
def test_no_choice_that_is_not_listed_is_taken(call, value, tmp_path):
    code, _, errors = call(f"optimizer={value}")
    assert code == 2 and errors.startswith("error: optimizer=") and errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["con.v2", "😀", "x" * 200, "a b"])
def test_a_users_own_choice_of_any_name_stays_below_outputs(tmp_path, name):
    from sweeper.config.grid import compose_grid

    folder = tmp_path / "conf" / "optimizer"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    grid = compose_grid(["--config-dir", str(tmp_path / "conf"), "dataset=digits", f"optimizer='{name}'"])
    (cell,) = grid.cells
    assert cell.directory.parent.parent.name == "outputs" and cell.directory.name.isascii()


@pytest.mark.parametrize("tag", ["../../x", "/etc", "a/b", "con", "x" * 100])
def test_a_tag_is_in_no_path(tag):
    plain, tagged = (run_name(make_config(tag=t)) for t in ("plain", tag))
    assert plain[:-8] == tagged[:-8] and plain != tagged
