"""How settings were chosen, beside the forgeries of test_checks.py."""

import pytest
from made_folder import LOADER, make_folder, make_trial
from made_runs import make_run

from sweeper.choose.choice import choose
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.system.errors import BadInput
from sweeper.verify.folder import read_folder
from sweeper.verify.selection import check_selection


def problems(folder):
    _, results = read_folder([str(folder)])
    return [one.what for one in check_selection(results, [str(folder)], str(folder)) if one.problem]


def test_a_whole_choice_holds(tmp_path):
    make_folder(tmp_path)
    choose([str(tmp_path)])
    assert problems(tmp_path) == []


def test_an_optimizer_that_was_not_searched_may_have_any_seed_and_value(tmp_path):
    make_folder(tmp_path)
    make_run(tmp_path, optimizer="lion", seed=101, accuracy=0.8, dataset__loader=LOADER)
    assert problems(tmp_path) == []


def test_arms_are_compared_with_the_search_of_their_optimizer(tmp_path):
    runs = make_folder(tmp_path)
    runs |= {"sgd101": make_run(tmp_path, seed=101, accuracy=0.9, dataset__loader=LOADER)}
    high = [make_run(tmp_path, seed=seed, accuracy=0.8, dataset__loader=LOADER, optimizer__lr=0.03) for seed in (1, 2)]
    arms = {"baseline": [runs["sgd1"], runs["sgd2"], runs["sgd101"]], "low": high}
    record_arms(tmp_path, AskedRuns([run for of in arms.values() for run in of], [arms]))
    (reused,) = problems(tmp_path)  # another rate beside the one that was chosen is an ablation, and no fault
    assert reused.startswith("seed 101 served the search (")


def test_another_models_search_is_none_of_this_comparison(tmp_path):
    make_folder(tmp_path)
    make_run(tmp_path, seed=101, accuracy=0.8, dataset__loader=LOADER, model__name="mlp", optimizer__lr=0.7)
    assert problems(tmp_path) == []


def test_of_two_searches_one_must_have_chosen(tmp_path):
    make_folder(tmp_path)
    for lr, accuracy in ((0.2, 0.7), (0.3, 0.8)):
        run = make_trial(tmp_path, lr, accuracy)
        text = (run / "run.json").read_text().replace('"batch_size": 64', '"batch_size": 32')
        (run / "run.json").write_text(text)
        run.rename(run.with_name(f"trial{lr}"))
    assert problems(tmp_path) == []


@pytest.mark.parametrize("content", [b"sgd: [", b"\xff", b"", b"sgd: {lr: 0.03}\n", b"sgd: !!bool x"])
def test_a_choice_that_is_none_is_reported(tmp_path, content):
    make_folder(tmp_path)
    (tmp_path / "chosen.yaml").write_bytes(content)
    assert problems(tmp_path) == ["isn't what the trials' validation accuracies choose"]


def test_a_choice_that_can_not_be_judged_is_not_called_another(tmp_path, monkeypatch):
    make_folder(tmp_path)
    (tmp_path / "chosen.yaml").mkdir()
    assert problems(tmp_path) == ["can't be read: Is a directory"]

    def refuse(task, options):
        raise BadInput("_target_=os.remove: can't be chosen")

    monkeypatch.setattr("sweeper.verify.selection.describe_choice", refuse)
    assert problems(tmp_path) == [
        "can't be checked, sweeper.choose refuses its trials: _target_=os.remove: can't be chosen"
    ]
