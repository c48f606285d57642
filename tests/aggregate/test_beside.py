"""Tables in other forms that earlier runs left are named, with the command that makes them anew."""

import os
import shlex

from made_runs import make_run

from sweeper.aggregate.command import main


def test_tables_of_earlier_runs_are_named_and_the_command_makes_them_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    last = ["written: my runs/results.csv, my runs/summary.csv"]

    def aggregate(*words: str) -> list[str]:
        assert main(["my runs", *words]) == 0
        return capsys.readouterr().out.splitlines()

    for seed in (1, 2):
        make_run(tmp_path / "my runs", seed=seed)
    aggregate("--format", "markdown,latex")
    assert aggregate()[-1:] == last, "they are of these runs"

    record = next((tmp_path / "my runs").glob("*/*/run.json"))
    later = (tmp_path / "my runs" / "summary.md").stat().st_mtime + 60
    os.utime(record, (later, later))
    *_, written, told = aggregate()
    assert written == last[0]
    older, _, command = told.removeprefix("of earlier runs: ").removesuffix(" makes them anew").partition("; ")
    assert {"my runs/summary.md", "my runs/summary.tex", "my runs/setup.tex"} <= set(older.split(", "))
    assert " --margin 0.5 --format markdown,latex makes" in aggregate("--margin", "0.5")[-1]
    assert aggregate("--format", "markdown")[-1].endswith("--format latex makes them anew")

    os.utime(record, (later - 600, later - 600))
    made_by = shlex.split(command)
    assert made_by[:3] == ["python", "-m", "sweeper.aggregate"] and aggregate(*made_by[4:])
    assert aggregate()[-1:] == last

    make_run(tmp_path / "my runs", seed=3)
    aggregate("--into", "elsewhere", "--format", "markdown")
    assert main(["my runs", "--into", "elsewhere"]) == 0
    assert "of earlier runs" not in capsys.readouterr().out
