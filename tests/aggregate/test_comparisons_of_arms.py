"""Which comparisons several sweeps of arms make: what they share is compared together, or in each."""

import csv
import re
import shutil

from made_runs import make_arm, name_arms

from sweeper.aggregate.command import aggregate
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task
from sweeper.report.command import latest_tasks
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.results import read_results


def test_several_changes_of_one_baseline_are_compared_together(tmp_path):
    outputs = tmp_path
    decayed, undecayed = (
        make_arm(outputs, at, decay_norms_and_biases=flag) for at, flag in ((0.94, True), (0.9, False))
    )
    name_arms(outputs, decayed=decayed, undecayed=undecayed)
    constant = make_arm(outputs, 0.8, decay_norms_and_biases=True, schedule={"name": "constant"})
    name_arms(outputs, decayed=decayed, constant=constant)
    task = max(group_tasks(read_results([outputs]).runs), key=lambda task: len(task.settings))
    assert answer_task(task) == "decayed > undecayed > constant"
    assert task.arms_differ_in() == ["decay_norms_and_biases", "schedule"]
    again = make_arm(outputs, 0.7, decay_norms_and_biases=True, schedule={"name": "step"})
    name_arms(outputs, decayed=decayed, constant=again)  # the name is another setting's now
    task = max(group_tasks(read_results([outputs]).runs), key=lambda task: len(task.settings))
    assert answer_task(task) == "decayed > undecayed > sgd > constant"


def test_one_run_in_two_questions_has_its_name_in_each_and_each_its_answer(tmp_path):
    common = make_arm(tmp_path, 0.9)
    name_arms(tmp_path, cosine=common, constant=make_arm(tmp_path, 0.8, schedule={"name": "constant"}))
    name_arms(tmp_path, sgd=common, lion=make_arm(tmp_path, 0.7, optimizer="lion"))
    answers = ["cosine > constant", "sgd > lion"]
    assert sorted(map(answer_task, group_tasks(read_results([tmp_path]).runs))) == answers
    text = aggregate([str(tmp_path)], None, ["csv"])
    assert all(f": {answer}\n" in text for answer in answers)
    with open(tmp_path / "summary.csv", encoding="utf-8", newline="") as file:
        assert {row["arm"] for row in csv.DictReader(file)} == {"cosine", "constant", "sgd", "lion"}


def test_the_same_arms_with_other_seeds_are_the_same_comparison(tmp_path):
    """As `sweeper.decide` adds seeds to the arms that are still open."""
    changes = ({}, {"batch_size": 8}, {"batch_size": 16})
    all_of = [
        make_arm(tmp_path, accuracy, **change) for accuracy, change in zip((0.9, 0.85, 0.7), changes, strict=True)
    ]
    a, b, c = all_of
    name_arms(tmp_path, a=a[:2], b=b[:2], c=c)
    name_arms(tmp_path, a=a[2:], b=b[2:])
    (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "a > b > c"


def test_seeds_that_no_sweep_of_arms_asked_for_are_not_the_arms(tmp_path):
    """A later sweep without arms trains both settings with seeds of its own: the arms keep their answer."""
    low, high = ({"optimizer__lr": rate} for rate in (0.1, 0.5))
    name_arms(tmp_path, low=make_arm(tmp_path, 0.9, (1, 2), **low), high=make_arm(tmp_path, 0.8, (1, 2), **high))
    before = [answer_task(task) for task in group_tasks(read_results([tmp_path]).runs)]
    plain = [*make_arm(tmp_path, 0.7, (3, 4, 5), **low), *make_arm(tmp_path, 0.95, (3, 4, 5), **high)]
    record_arms(tmp_path, AskedRuns(plain, []))
    tasks = group_tasks(read_results([tmp_path]).runs)
    assert [answer_task(task) for task in tasks if task.noun == "arm"] == before
    assert sorted(len(run) for run in ([*task.runs()] for task in tasks)) == [4, 6]


def test_what_one_sweep_compares_by_an_axis_another_may_compare_as_arms(tmp_path):
    """Each sees its own answers at its end, whatever the others named, and the page has all of them."""
    shared = [
        {name: make_arm(tmp_path, at, schedule={"name": schedule}, optimizer__lr=lr) for name, at, lr in settings}
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
    base, mine = make_arm(tmp_path / "one", 0.9), make_arm(tmp_path / "one", 0.8, optimizer__lr=0.3)
    name_arms(tmp_path / "one", base=base, mine=mine)
    for run in base:
        shutil.copytree(run, tmp_path / "a" / run.parent.name / run.name)
    make_arm(tmp_path / "a", 0.7, optimizer="lion")
    for folders in (("one", "a"), ("a", "one")):
        tasks = group_tasks(read_results([tmp_path / folder for folder in folders]).runs)
        assert {task.noun: answer_task(task) for task in tasks} == {"arm": "base > mine", "optimizer": "sgd > lion"}


def test_arms_of_the_same_names_and_other_settings_keep_each_its_answer(tmp_path):
    """Of three comparisons none shows the answer of another."""
    for lr, better in ((0.1, "base"), (0.2, "mine"), (0.3, "base")):
        name_arms(
            tmp_path,
            base=make_arm(tmp_path, 0.8 + 0.1 * (better == "base"), optimizer__lr=lr),
            mine=make_arm(tmp_path, 0.8 + 0.1 * (better == "mine"), optimizer__lr=lr / 100),
        )
    text = aggregate([str(tmp_path)], None, ["csv"])
    answers = re.findall(r"no label noise, arms base, mine \((\d)\): (.*)", text)
    assert answers == [("1", "base > mine"), ("2", "mine > base"), ("3", "base > mine")]
