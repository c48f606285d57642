"""Paths as users give them."""

import os
from pathlib import Path

import pytest

from sweeper.system.errors import BadInput
from sweeper.system.paths import as_argument, given_path, relative, sqlite_url

ODD = "what?x/ru ns#1%41{0}@ö&y=z"


def test_a_home_folder_may_be_given_by_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert given_path("~/runs") == Path("/home/me/runs")
    assert [given_path(path) for path in ("runs", "a/~/b")] == [Path("runs"), Path("a/~/b")]
    assert relative("~/runs/a", Path("/home/me/runs")) == "a"


def test_a_home_folder_that_does_not_exist_is_refused(monkeypatch):
    with pytest.raises(BadInput, match=r"^outputs=~nobody-here/x: there is no user nobody-here; give the whole path"):
        given_path("~nobody-here/x", "outputs=")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry in the passwords
    with pytest.raises(BadInput, match=r"^~/x: this user has no home folder, and HOME isn't set; "):
        given_path("~/x")


def test_a_folder_is_no_option():
    assert [as_argument(path) for path in ("-x", "--x", "x-", "a/-x")] == ["./-x", "./--x", "x-", "a/-x"]


def test_a_database_lies_where_its_path_says(tmp_path):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    (tmp_path / ODD).mkdir(parents=True)
    engine = sqlalchemy.create_engine(sqlite_url(tmp_path / ODD / "search.db"))
    engine.connect().close()
    engine.dispose()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")] == [f"{ODD}/search.db"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["what?x"]


@pytest.mark.parametrize("arguments", [["outputs='~nobody-here/x'"], ["dataset.root='~nobody-here/x'"]])
def test_train_refuses_such_a_path_by_the_options_name(refusal, arguments):
    name = arguments[0].partition("=")[0]
    assert refusal(*arguments).startswith(f"{name}=~nobody-here/x: there is no user nobody-here; ")


def test_every_command_takes_it(tmp_path, monkeypatch):
    from made_runs import make_run

    from sweeper.aggregate.command import main as aggregate
    from sweeper.config.command_line import read_command_line
    from sweeper.config.grid import compose_grid

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs")
    assert aggregate(["~/runs", "--into", "~/tables"]) == 0
    assert (tmp_path / "tables" / "results.csv").is_file()
    grid = compose_grid(["outputs='~/runs'", "dataset=digits", "dataset.root='~/data'"])
    assert grid.outputs == tmp_path / "runs" == grid.cells[0].directory.parents[1]
    assert grid.cells[0].config["dataset"]["root"] == str(tmp_path / "data")
    assert read_command_line(["--config-dir", "~/groups"]).config_dir == str(tmp_path / "groups")


def test_groups_may_lie_in_a_folder_of_any_name(tmp_path):
    from sweeper.config.grid import compose_grid

    folder = tmp_path / "it's" / ODD
    (folder / "optimizer").mkdir(parents=True)
    text = "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n"
    (folder / "optimizer" / "plain.yaml").write_text(text, encoding="utf-8")
    (cell,) = compose_grid(["--config-dir", str(folder), "optimizer=plain"]).cells
    assert cell.config["optimizer"]["lr"] == 0.3
