"""A sweep of arms is shown by the arms' names: table, answer, CSV, LaTeX, page; and its arms are what is compared."""

import csv
import re
import shutil

import pytest
import yaml
from made_runs import change_record, make_run

import sweeper
from sweeper.aggregate.command import aggregate
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task, describe_task
from sweeper.choose.command import main as choose
from sweeper.report.command import latest_tasks, report
from sweeper.report.paper_figures import lengths_figure
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.confirmations import record_confirmation
from sweeper.runs.results import read_results


def arm(outputs, accuracy, seeds=(1, 2, 3), **config):
    """Runs of one setting; the seeds scatter a little."""
    scatter = {1: 0.0, 2: 0.004, 3: -0.004, 4: 0.002, 5: -0.002}
    of_seed = {seed: accuracy + scatter[seed] * (1 + accuracy) for seed in seeds}
    return [make_run(outputs, seed=seed, accuracy=value, **config) for seed, value in of_seed.items()]


def named(outputs, **arms):
    record_arms(outputs, AskedRuns([run for runs in arms.values() for run in runs], [arms]))


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
    decayed = arm(tmp_path, 0.94, decay_norms_and_biases=True)
    undecayed = arm(tmp_path, 0.90, decay_norms_and_biases=False)
    arm(tmp_path, 0.5, optimizer="adam", decay_norms_and_biases=True)
    named(tmp_path, decayed=decayed, undecayed=undecayed)
    return tmp_path, [*decayed, *undecayed]


def test_arms_of_one_optimizer_are_compared_although_they_differ_in_the_recipe(decay):
    outputs, own = decay
    text = aggregate([str(outputs)], None, ["csv"], sweep=asked_as(decayed=own[:3], undecayed=own[3:]))
    lines = text.splitlines()
    assert lines[0] == "decayed > undecayed"
    assert lines[2].startswith("digits, cnn, optimizer sgd, no label noise, lr 0.1")
    table = [line.split()[:2] for line in lines[4:7]]
    assert table == [["arm", "decay_norms_and_biases"], ["decayed", "true"], ["undecayed", "false"]]


def test_what_differs_between_the_arms_is_said_and_other_runs_stay_a_task_of_their_own(decay):
    outputs, _ = decay
    by_arm, plain = sorted(group_tasks(read_results([outputs]).runs), key=lambda task: -len(task.settings))
    assert by_arm.label == "digits, cnn, no label noise, decay_norms_and_biases by arm"
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
    assert r"the arms decayed, undecayed of adam~\cite" in (outputs / "setup.tex").read_text()


def test_the_page_and_python_show_them(decay):
    outputs, _ = decay
    (page,) = report([str(outputs)])
    text = page.read_text()
    assert "Which arm is better on digits?" in text and "undecayed" in text
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
    plain = {name: arm(tmp_path, at, optimizer=name) for name, at in (("sgd", 0.9), ("lion", 0.7), ("adam", 0.8))}
    (before,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(before) == "sgd > adam > lion"
    arms = {"base": [*plain["sgd"], *arm(tmp_path, 0.9, seeds=(4, 5))], "mine": arm(tmp_path, 0.6, **change)}
    asked = [run for runs in arms.values() for run in runs]
    record_arms(tmp_path, AskedRuns(asked, [arms], before=dict.fromkeys(plain["sgd"])))
    tasks = {task.noun: task for task in group_tasks(read_results([tmp_path]).runs)}
    assert answer_task(tasks["arm"]) == "base > mine"
    assert answer_task(tasks["optimizer"]) == answer_task(before)
    assert tasks["optimizer"].comparison.differences == before.comparison.differences
    assert len({task.label for task in tasks.values()}) == 2
    report([str(tmp_path)])


def test_arms_of_one_name_alone_are_no_comparison_but_a_name(tmp_path):
    arm(tmp_path, 0.9)
    named(tmp_path, mine=arm(tmp_path, 0.7, optimizer="lion"))
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "sgd > mine"


def test_an_arm_of_several_settings_is_one_arm(tmp_path):
    lion = [run for lr in (0.1, 0.3) for run in arm(tmp_path, 0.9 + lr / 10, optimizer="lion", optimizer__lr=lr)]
    plain = arm(tmp_path, 0.8)
    named(tmp_path, mine=lion, plain=plain)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert [setting.label for setting in task.settings] == ["mine, lr 0.1", "mine, lr 0.3", "plain"]
    assert answer_task(task) == "No verdict between arms: settings were chosen by test accuracy."
    for run in (*lion, *plain):
        accuracy = 0.9 if "lion" in run.name else 0.85
        change_record(run, result__final_val_accuracy=accuracy)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert task.chosen_by == "validation" and answer_task(task).startswith("mine > plain")


def test_an_arm_of_several_optimizers_is_several(tmp_path):
    named(
        tmp_path,
        cosine=arm(tmp_path, 0.9) + arm(tmp_path, 0.7, optimizer="lion"),
        constant=arm(tmp_path, 0.8, schedule={"name": "constant"}),
    )
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "cosine, sgd > constant > cosine, lion"
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
    named(tmp_path, plain=arm(tmp_path, 0.9), mine=arm(tmp_path, 0.8, **change))
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert task.label == label and answer_task(task) == "plain > mine"
    aggregate([str(tmp_path)], None, ["latex"])
    report([str(tmp_path)])


def test_arms_of_several_lengths_are_no_point_of_a_figure_by_length(tmp_path):
    named(tmp_path, plain=arm(tmp_path, 0.9), mine=arm(tmp_path, 0.8, epochs=9))
    arm(tmp_path, 0.5, optimizer="adam")
    tasks = group_tasks(read_results([tmp_path]).runs)
    assert len(tasks) == 2 and lengths_figure(tasks) is None


def test_arms_that_other_images_judge_are_not_compared(tmp_path):
    named(tmp_path, plain=arm(tmp_path, 0.9), mine=arm(tmp_path, 0.8, dataset__name="mnist"))
    assert len(group_tasks(read_results([tmp_path]).runs)) == 2


def test_of_a_grid_of_arms_each_has_its_choice_and_they_are_no_preset(tmp_path, capsys):
    outputs, arms = tmp_path / "outputs", {"mine": [], "base": []}
    for lr, validation in ((0.1, 0.8), (0.3, 0.9)):
        for name, flag in (("mine", True), ("base", False)):
            arms[name].append(make_run(outputs, optimizer__lr=lr, decay_norms_and_biases=flag))
            change_record(arms[name][-1], result__final_val_accuracy=validation if flag else 1 - validation)
    named(outputs, **arms)
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


def test_several_changes_of_one_baseline_are_compared_together(decay):
    outputs, own = decay
    constant = arm(outputs, 0.8, decay_norms_and_biases=True, schedule={"name": "constant"})
    named(outputs, decayed=own[:3], constant=constant)
    task = max(group_tasks(read_results([outputs]).runs), key=lambda task: len(task.settings))
    assert answer_task(task) == "decayed > undecayed > constant"
    assert task.arms_differ_in() == ["decay_norms_and_biases", "schedule"]
    again = arm(outputs, 0.7, decay_norms_and_biases=True, schedule={"name": "step"})
    named(outputs, decayed=own[:3], constant=again)  # the name is another setting's now
    task = max(group_tasks(read_results([outputs]).runs), key=lambda task: len(task.settings))
    assert answer_task(task) == "decayed > undecayed > sgd > constant"


def test_the_same_arms_with_other_seeds_are_the_same_comparison(tmp_path):
    """As `sweeper.decide` adds seeds to the arms that are still open."""
    changes = ({}, {"batch_size": 8}, {"batch_size": 16})
    all_of = [arm(tmp_path, accuracy, **change) for accuracy, change in zip((0.9, 0.85, 0.7), changes, strict=True)]
    a, b, c = all_of
    named(tmp_path, a=a[:2], b=b[:2], c=c)
    named(tmp_path, a=a[2:], b=b[2:])
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "a > b > c"


def test_what_one_sweep_compares_by_an_axis_another_may_compare_as_arms(tmp_path):
    """Each sees its own answers at its end, whatever the others named, and the page has all of them."""
    shared = [
        {name: arm(tmp_path, at, schedule={"name": schedule}, optimizer__lr=lr) for name, at, lr in settings}
        for schedule, settings in (
            ("cosine", (("base", 0.9, 0.1), ("mine", 0.8, 0.3))),
            ("constant", (("base", 0.6, 0.1), ("mine", 0.7, 0.3))),
        )
    ]
    bridge = {"cosine": shared[0]["base"], "constant": shared[1]["base"]}
    every = [run for arms in shared for runs in arms.values() for run in runs]
    sweeps = [AskedRuns(every, shared), AskedRuns([run for runs in bridge.values() for run in runs], [bridge])]
    for asked in sweeps:
        record_arms(tmp_path, asked)
    expected = {"by arm": "cosine > constant", "constant": "mine > base", "cosine": "base > mine"}
    tasks = group_tasks(read_results([tmp_path]).runs)
    assert {task.label.removeprefix("digits, cnn, no label noise, schedule "): answer_task(task) for task in tasks} == (
        expected
    )
    for asked, answers in zip(sweeps, (["mine > base", "base > mine"], ["cosine > constant"]), strict=True):
        own = OwnRuns.from_json(asked.to_json())
        told = aggregate([str(tmp_path)], None, ["csv"], sweep=own).partition("\n\n")[0].splitlines()
        assert [line.rpartition(": ")[2] for line in told] == answers
        assert [answer_task(task) for task in latest_tasks(tasks, own)] == answers


def test_copies_of_a_run_in_several_folders_are_in_the_comparisons_of_each(tmp_path):
    base, mine = arm(tmp_path / "one", 0.9), arm(tmp_path / "one", 0.8, optimizer__lr=0.3)
    named(tmp_path / "one", base=base, mine=mine)
    for run in base:
        shutil.copytree(run, tmp_path / "a" / run.parent.name / run.name)
    arm(tmp_path / "a", 0.7, optimizer="lion")
    for folders in (("one", "a"), ("a", "one")):
        tasks = group_tasks(read_results([tmp_path / folder for folder in folders]).runs)
        assert {task.noun: answer_task(task) for task in tasks} == {"arm": "base > mine", "optimizer": "sgd > lion"}


def test_arms_of_the_same_names_and_other_settings_keep_each_its_answer(tmp_path):
    """Of three comparisons none shows the answer of another."""
    for lr, better in ((0.1, "base"), (0.2, "mine"), (0.3, "base")):
        named(
            tmp_path,
            base=arm(tmp_path, 0.8 + 0.1 * (better == "base"), optimizer__lr=lr),
            mine=arm(tmp_path, 0.8 + 0.1 * (better == "mine"), optimizer__lr=lr / 100),
        )
    text = aggregate([str(tmp_path)], None, ["csv"])
    answers = re.findall(r"no label noise, arms base, mine \((\d)\): (.*)", text)
    assert answers == [("1", "base > mine"), ("2", "mine > base"), ("3", "base > mine")]
