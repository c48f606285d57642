"""Runs that were trained again with another result: in the terminal, in JSON, on the page and in Python."""

import json

import pytest
from json_schema import check
from made_runs import change_record, make_run

import sweeper
from sweeper.aggregate import command
from sweeper.report.command import main as report
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.watch.command import main as watch

SAID = (
    "1 repeat has another result: of each run the one with the earlier start counts, and repeats enter "
    "nothing; 1 completed where the first diverged"
)


@pytest.fixture(params=[("t1", "t2"), ("t2", "t1")], ids="".join)
def folders(request, tmp_path, monkeypatch):
    """A run that diverged in t2, later completed in t1, and a copy of another one; in either order."""
    make_run(tmp_path / "t2", "diverged", environment={"started": "2026-11-25T10:00:00Z"})
    make_run(tmp_path / "t1", accuracy=0.8, environment={"started": "2026-11-25T11:00:00Z"})
    for folder in ("t1", "t2"):
        make_run(tmp_path / folder, optimizer="lion")
    monkeypatch.chdir(tmp_path)
    return request.param


def test_the_terminal_says_which_counts(folders, capsys):
    assert command.main(folders) == 0
    out = capsys.readouterr().out
    (name,) = {line.split()[1].removeprefix("t1/") for line in out.splitlines() if line.startswith("repeat:")}
    assert (
        f"\n2 runs: 1 completed, 1 diverged; 1 more was a copy of these\n{SAID}\n"
        f"repeat: t1/{name} completed, test 80.00 %; t2/{name} diverged counts\n"
    ) in out


def test_so_does_the_document(folders, capsys):
    assert command.main([*folders, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check("aggregate", document)
    (repeat,) = document["left_out"].pop("repeats")
    assert document["left_out"] == {"copies": 1, "unfinished": 0} and document["counts"]["diverged"] == 1
    assert (repeat["status"], repeat["final_test_accuracy"]) == ("completed", 0.8)
    assert repeat["path"].startswith("t1/") and repeat["counts"]["path"].startswith("t2/")
    assert repeat["counts"]["status"] == "diverged"


def test_so_do_the_page_and_a_comparison_in_python(folders, tmp_path):
    assert report([*folders, "--into", "page"]) == 0
    page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    assert f"{SAID}." in page and "1 more directory was a copy" in page
    ((*_, last),) = sweeper.compare(list(folders)).sentences.values()
    assert last == f"{SAID}."


def test_so_does_the_live_table(folders, capsys):
    assert watch([*folders, "--once"]) == 0
    assert SAID in " ".join(capsys.readouterr().out.split())
    assert watch([*folders, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check("watch", document)
    assert document["repeats"] == SAID and document["progress"]["counts"] == {"diverged": 1, "completed": 1}
    assert watch([folders[0], "--json"]) == 0 and json.loads(capsys.readouterr().out)["repeats"] is None


def test_a_repeat_of_the_same_accuracy_says_that_other_figures_differ(tmp_path, capsys):
    make_run(tmp_path / "a")
    change_record(make_run(tmp_path / "b"), result__final_train_loss=0.33)
    assert command.main([str(tmp_path)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("repeat: ")]
    assert line.endswith(" completed, test 90.00 % (other figures differ) counts")


def test_many_repeats_are_counted_and_the_first_named(tmp_path, capsys):
    for seed in range(12):
        for folder, accuracy in (("a", 0.7), ("b", 0.8)):
            make_run(tmp_path / folder, seed=seed, accuracy=accuracy)
    assert command.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\n12 repeats have another result: " in out
    assert out.count("\nrepeat: ") == 10 and "\nand 2 more repeats\n" in out


def test_what_gave_way_unfinished_is_no_copy(tmp_path, capsys):
    make_run(tmp_path / "a", "failed", error="out of memory")
    make_run(tmp_path / "b")
    assert command.main([str(tmp_path)]) == 0
    assert "\n1 run: 1 completed; 1 unfinished or damaged gave way to it\n" in capsys.readouterr().out


def test_a_sweep_whose_run_counts_elsewhere_in_its_folder_shows_that_one(tmp_path):
    """Its answer is that of the tables, and no run of it is missing."""
    own = []
    for optimizer in ("lion", "sgd"):
        for seed in (1, 2):
            run = {"optimizer": optimizer, "seed": seed}
            accuracy = (0.9 if optimizer == "sgd" else 0.7) + seed / 100
            own.append(make_run(tmp_path, accuracy=accuracy, environment={"started": "2026-11-25T11:00:00Z"}, **run))
            if seed == 2:
                before = {"started": "2026-11-25T10:00:00Z"}
                make_run(tmp_path / "old", accuracy=accuracy - 0.001, environment=before, **run)
    sweep = OwnRuns.from_json(AskedRuns(own).to_json())
    text = command.aggregate([str(tmp_path)], None, ["csv"], sweep=sweep)
    assert "\n4 runs: 4 completed\n2 repeats have another result: " in text
    assert "91.95" not in text and "91.45 ± 0.64 % (n = 2)" in text
