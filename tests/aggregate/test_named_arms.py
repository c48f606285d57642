"""A sweep of arms is shown by the arms' names: table, answer, CSV, LaTeX, page; and its arms are what is compared."""

import csv

import pytest
import yaml
from made_runs import change_record, make_arm, make_run, name_arms

import sweeper
from sweeper.aggregate.command import aggregate
from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task, describe_task
from sweeper.choose.command import main as choose
from sweeper.report.command import report
from sweeper.report.paper_figures import lengths_figure
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.confirmations import record_confirmation
from sweeper.runs.results import read_results


def asked_as(**arms):
    """What the end of a sweep of these arms is told."""
    asked = AskedRuns([run for runs in arms.values() for run in runs], [arms])
    return OwnRuns.from_json(asked.to_json())


def rows(file):
    with open(file, encoding="utf-8", newline="") as opened:
        return [*csv.DictReader(opened)]


@pytest.fixture
def decay(tmp_path):
    """Two arms of one optimizer that differ in an option outside of it, and a plain run beside them."""
    decayed = make_arm(tmp_path, 0.94, decay_norms_and_biases=True)
    undecayed = make_arm(tmp_path, 0.90, decay_norms_and_biases=False)
    make_arm(tmp_path, 0.5, optimizer="adam", decay_norms_and_biases=True)
    name_arms(tmp_path, decayed=decayed, undecayed=undecayed)
    return tmp_path, [*decayed, *undecayed]


def test_arms_of_one_optimizer_are_compared_although_they_differ_in_the_recipe(decay):
    outputs, own = decay
    text = aggregate([str(outputs)], None, ["csv"], sweep=asked_as(decayed=own[:3], undecayed=own[3:]))
    lines = text.splitlines()
    assert lines[0] == "decayed > undecayed"
    assert lines[2].startswith("digits, cnn, optimizer sgd, no label noise, lr 0.1")
    table = [line.split()[:2] for line in lines[4:7]]
    assert table == [["arm", "decay_norms_and_biases"], ["decayed", "true"], ["undecayed", "false"]]


def test_what_stands_apart_is_compared_by_arms_alone(decay):
    """The page has both: the arms' task, and one for each value where a product was asked for too."""
    outputs, _ = decay
    make_run(outputs, epochs=9)
    (apart,) = [line for line in describe_limits(*_tasks_and_runs(outputs)) if "tasks of their own" in line]
    assert apart.endswith("stand as tasks of their own and are compared as arms alone.")
    (outputs / "arms.json").unlink()
    (apart,) = [line for line in describe_limits(*_tasks_and_runs(outputs)) if "tasks of their own" in line]
    assert apart.endswith("stand as tasks of their own and are compared with none.")


def _tasks_and_runs(outputs):
    runs = read_results([outputs]).runs
    return group_tasks(runs), runs


def test_an_arm_that_is_given_alone_is_told_how_it_is_compared(decay):
    outputs, own = decay
    later = make_arm(outputs, 0.92, optimizer="lion")
    name_arms(outputs, later=later)
    alone = aggregate([str(outputs)], None, ["csv"], sweep=asked_as(later=later)).splitlines()
    assert alone[0].startswith("There is one arm only: later with ") and alone[1] == ""
    assert alone[0].endswith(" To compare it with arms that are there, give one of them beside it, by its name.")
    compared = aggregate([str(outputs)], None, ["csv"], sweep=asked_as(decayed=own[:3])).splitlines()
    assert compared[0].startswith("There is one arm only: decayed with ") and "give one" not in compared[0]
    assert compared[1] == f"with the other runs of this task in {outputs}/: decayed > undecayed"


def test_what_differs_between_the_arms_is_said_and_other_runs_stay_a_task_of_their_own(decay):
    outputs, _ = decay
    by_arm, plain = sorted(group_tasks(read_results([outputs]).runs), key=lambda task: -len(task.settings))
    assert by_arm.label == "digits, cnn, no label noise, decay_norms_and_biases by arm"
    assert "The arms differ in decay_norms_and_biases." in describe_task(by_arm)
    by_arm.compared[0].config["optimizer"] = {"name": "lion"}
    assert "The arms differ in decay_norms_and_biases, too." in describe_task(by_arm)
    assert [setting.label for setting in plain.settings] == ["adam"]


def test_the_csvs_end_with_the_arm(decay):
    outputs, _ = decay
    plain = aggregate([str(outputs)], None, ["csv", "latex"])
    assert "decayed > undecayed" in plain
    for file in ("results.csv", "summary.csv"):
        found = rows(outputs / file)
        assert [*found[0]][-1] == "arm"
        assert {(row["optimizer"], row["arm"]) for row in found} == {
            ("sgd", "decayed"),
            ("sgd", "undecayed"),
            ("adam", ""),
        }
    assert set(sweeper.load_results(outputs).arm.dropna()) == {"decayed", "undecayed"}
    for file in ("summary.tex", "table.tex", "setup.tex"):
        assert "undecayed" in (outputs / file).read_text()
    assert r"the arms decayed and undecayed of adam~\cite" in (outputs / "setup.tex").read_text()


def test_the_page_and_python_show_them(decay):
    outputs, _ = decay
    (page,) = report([str(outputs)])
    text = page.read_text()
    assert "Which optimizer or arm is better on digits?" in text and "undecayed" in text
    found = sweeper.compare(outputs)
    assert ["decayed", "undecayed"] in found.intervals[["optimizer", "other"]].values.tolist()


def test_a_later_sweep_of_arms_renames_one(decay):
    outputs, own = decay
    record_arms(outputs, AskedRuns(own, [{"base": own[:3], "undecayed": own[3:]}]))
    sweep = asked_as(base=own[:3], undecayed=own[3:])
    assert aggregate([str(outputs)], None, ["csv"], sweep=sweep).startswith("base > undecayed\n")


def test_what_a_sweep_of_arms_and_one_without_both_asked_for_is_compared_in_both(decay):
    outputs, own = decay
    decayed, undecayed = own[:3], own[3:]
    record_arms(outputs, AskedRuns(decayed))
    by_arm, untouched = sorted(group_tasks(read_results([outputs]).runs), key=lambda task: task.noun)
    assert answer_task(by_arm) == "decayed > undecayed"
    assert answer_task(untouched) == "sgd > adam" and untouched.named_elsewhere == []
    without = OwnRuns([], dict.fromkeys(map(str, [*decayed, *undecayed])))
    text = aggregate([str(outputs)], None, ["csv"], sweep=without)
    assert "decayed" not in text.partition("written: ")[0].replace("decay_norms", "")
    assert sorted((row["optimizer"], row["arm"]) for row in rows(outputs / "summary.csv")) == [
        ("adam", ""),
        ("sgd", ""),
        ("sgd", "decayed"),
        ("sgd", "undecayed"),
    ]


@pytest.mark.parametrize("change", [{"schedule": {"name": "constant"}}, {"optimizer__lr": 0.3}], ids=["task", "lr"])
def test_a_sweep_of_arms_changes_no_verdict_that_was_there(tmp_path, change):
    plain = {name: make_arm(tmp_path, at, optimizer=name) for name, at in (("sgd", 0.9), ("lion", 0.7), ("adam", 0.8))}
    (before,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(before) == "sgd > adam > lion"
    arms = {"base": [*plain["sgd"], *make_arm(tmp_path, 0.9, seeds=(4, 5))], "mine": make_arm(tmp_path, 0.6, **change)}
    asked = [run for runs in arms.values() for run in runs]
    record_arms(tmp_path, AskedRuns(asked, [arms], before=dict.fromkeys(plain["sgd"])))
    tasks = {task.noun: task for task in group_tasks(read_results([tmp_path]).runs)}
    assert answer_task(tasks["arm"]) == "base > mine"
    assert answer_task(tasks["optimizer"]) == answer_task(before)
    assert tasks["optimizer"].comparison.differences == before.comparison.differences
    assert len({task.label for task in tasks.values()}) == 2
    report([str(tmp_path)])


def test_arms_of_one_name_alone_are_no_comparison_but_a_name(tmp_path):
    make_arm(tmp_path, 0.9)
    name_arms(tmp_path, mine=make_arm(tmp_path, 0.7, optimizer="lion"))
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "sgd > mine"


def test_an_arm_of_several_settings_is_one_arm(tmp_path):
    lion = [run for lr in (0.1, 0.3) for run in make_arm(tmp_path, 0.9 + lr / 10, optimizer="lion", optimizer__lr=lr)]
    plain = make_arm(tmp_path, 0.8)
    name_arms(tmp_path, mine=lion, plain=plain)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert [setting.label for setting in task.settings] == ["mine, lr 0.1", "mine, lr 0.3", "plain"]
    assert answer_task(task) == "No verdict between arms: settings were chosen by test accuracy."
    for run in (*lion, *plain):
        accuracy = 0.9 if "lion" in run.name else 0.85
        change_record(run, result__final_val_accuracy=accuracy)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert task.chosen_by == "validation" and answer_task(task).startswith("mine > plain")


def test_an_arm_of_several_optimizers_is_several(tmp_path):
    name_arms(
        tmp_path,
        cosine=make_arm(tmp_path, 0.9) + make_arm(tmp_path, 0.7, optimizer="lion"),
        constant=make_arm(tmp_path, 0.8, schedule={"name": "constant"}),
    )
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "cosine sgd > constant > cosine lion"
    assert task.arms_differ_in() == ["schedule"]


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({"epochs": 9}, "digits, cnn, no label noise"),
        ({"model": {"name": "mlp", "width": 3}}, "digits, model by arm, no label noise"),
        ({"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2}}, "digits, cnn, label noise by arm"),
        ({"batch_size": 8}, "digits, cnn, no label noise"),
        ({"dataset__flip": True}, "digits, cnn, no label noise"),
    ],
    ids=["epochs", "model", "noise", "batch_size", "dataset.flip"],
)
def test_whatever_arms_differ_in_all_that_is_drawn_of_them_holds(tmp_path, change, label):
    name_arms(tmp_path, plain=make_arm(tmp_path, 0.9), mine=make_arm(tmp_path, 0.8, **change))
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert task.label == label and answer_task(task) == "plain > mine"
    aggregate([str(tmp_path)], None, ["latex"])
    report([str(tmp_path)])


def test_arms_of_several_lengths_are_no_point_of_a_figure_by_length(tmp_path):
    name_arms(tmp_path, plain=make_arm(tmp_path, 0.9), mine=make_arm(tmp_path, 0.8, epochs=9))
    make_arm(tmp_path, 0.5, optimizer="adam")
    tasks = group_tasks(read_results([tmp_path]).runs)
    assert len(tasks) == 2 and lengths_figure(tasks) is None


def test_arms_that_other_images_judge_are_not_compared(tmp_path):
    name_arms(tmp_path, plain=make_arm(tmp_path, 0.9), mine=make_arm(tmp_path, 0.8, dataset__name="mnist"))
    assert len(group_tasks(read_results([tmp_path]).runs)) == 2


def test_of_a_grid_of_arms_each_has_its_choice_and_they_are_no_preset(tmp_path, capsys):
    outputs, arms = tmp_path / "outputs", {"mine": [], "base": []}
    for lr, validation in ((0.1, 0.8), (0.3, 0.9)):
        for name, flag in (("mine", True), ("base", False)):
            arms[name].append(make_run(outputs, optimizer__lr=lr, decay_norms_and_biases=flag))
            change_record(arms[name][-1], result__final_val_accuracy=validation if flag else 1 - validation)
    name_arms(outputs, **arms)
    assert choose([str(outputs)]) == 0
    told = capsys.readouterr().out
    assert "of each arm's trials" in told and yaml.safe_load(told) == {"mine": {"lr": 0.3}, "base": {"lr": 0.1}}
    assert [(row["optimizer"], row["arm"]) for row in rows(outputs / "search.csv") if row["chosen"] == "true"] == [
        ("sgd", "base"),
        ("sgd", "mine"),
    ]
    assert choose([str(outputs), "--write", str(tmp_path / "conf")]) == 2
    why = "a preset has no arms; put the values of chosen.yaml into the arms"
    assert capsys.readouterr().err == f"error: --write {tmp_path}/conf: {why}\n" and not (tmp_path / "conf").exists()
    confirming = make_run(outputs, seed=2, optimizer__lr=0.3, decay_norms_and_biases=True)
    record_confirmation(outputs, [confirming])
    (task,) = group_tasks(read_results([outputs]).runs)
    assert task.noun == "arm" and len(task.runs()) == 5
