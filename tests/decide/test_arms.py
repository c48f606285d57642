"""What a decision is about: two arms or more, each one setting, judged by the same images."""

import math

import pytest

from sweeper.decide.arms import Arms, read_arms
from sweeper.decide.judge import Result
from sweeper.system.errors import BadInput

SMALL = ("dataset=digits", "model=mlp", "epochs=1")
SGD, LION = ("--arm", "sgd: optimizer=sgd optimizer.lr=0.1"), ("--arm", "lion: optimizer=lion tag='a b'")


def test_an_arm_has_a_run_for_each_seed_and_a_command_that_trains_the_next(tmp_path):
    asked = read_arms([*SMALL, *SGD, *LION, f"outputs={tmp_path}"], 3)
    assert {arm: list(by_seed) for arm, by_seed in asked.cells.items()} == {"sgd": [1, 2, 3], "lion": [1, 2, 3]}
    command = asked.command(("lion",), 2, asked.results())
    assert command[-2:] == ["lion: optimizer=lion tag='a b'", "seed=1,2"] and command[1:4] == [
        "-m",
        "sweeper.train",
        "-m",
    ]
    assert asked.results() == {"sgd": {}, "lion": {}} and len(asked.missing(("sgd", "lion"), 2)) == 4


def test_precisions_are_arms():
    precisions = ("--arm", "fp32: device.precision=fp32", "--arm", "bf16: device.precision=bf16")
    assert list(read_arms([*SMALL, *precisions], 2).cells) == ["fp32", "bf16"]


def test_a_failed_seed_of_an_earlier_look_is_not_trained_again(monkeypatch):
    asked = read_arms([*SMALL, *SGD, *LION], 4)
    done, failed = Result(0.9), Result(math.nan)
    on_disk = {"sgd": {1: done, 2: failed, 4: done}, "lion": {1: done, 2: done, 3: done}}
    monkeypatch.setattr(Arms, "results", lambda self: on_disk)
    assert asked.command(("sgd", "lion"), 4, asked.results())[-1] == "seed=3,4"


BAD = {
    (*SGD,): "a decision needs two arms or more",
    ("optimizer=sgd,adamw",): 'two arms or more: --arm "sgd: optimizer=sgd" --arm "adamw: optimizer=adamw"',
    (*SGD, *LION, "seed=1,2"): "seed=1,2: the seeds follow from the looks",
    (*SGD, "--arm", "two: optimizer.lr=0.1,0.2"): "arm 'two': it has 2 settings; a decision needs one an arm",
    (*SGD, "--arm", "four: optimizer=lion seed=4"): "arm 'four': seed=4: the seeds follow from the looks",
    (*SGD, "--arm", "same: optimizer=sgd"): "arms 'sgd' and 'same': they are the same run",
    (*SGD, "--arm", "same: optimizer=sgd save_model=false"): "arms 'sgd' and 'same': they are the same run",
    (*SGD, "--arm", "mnist: dataset=mnist"): "arms 'sgd' and 'mnist': they have other data",
    (*SGD, "--arm", "less: dataset.test_limit=9"): "arms 'sgd' and 'less': they have other data",
    (*SGD, "--arm", "sgd: optimizer=lion"): "arm 'sgd': two arms have this name",
    (*SGD, "--arm", "b:"): "the arm is empty",
    (
        *SGD,
        *LION,
        "rerun=true",
    ): "rerun=true: a decision trains each seed once; leave it out, or decide anew in another",
    (*SGD, "--arm", "again: optimizer=lion rerun=true"): "rerun=true: a decision trains each seed once",
    (*SGD, *LION, "--cfg", "job"): "--cfg: is for python -m sweeper.train; leave it out",
}


@pytest.mark.parametrize("words", BAD)
def test_what_is_no_decision_is_refused_in_a_line(words):
    with pytest.raises(BadInput) as refused:
        read_arms([*SMALL, *words], 2)
    assert BAD[words] in str(refused.value) and "\n" not in str(refused.value)


def test_another_length_must_be_written_into_the_arm():
    read_arms([*SMALL[:2], *SGD, "--arm", "long: epochs=4"], 2)
    with pytest.raises(BadInput, match="arms 'sgd' and 'long': they train 20 and 10 epochs; write epochs= into"):
        read_arms([*SMALL[:2], *SGD, "--arm", "long: experiment=quick optimizer=sgd"], 2)
