"""The words of a command line: flags and overrides in any order, and a line for what isn't one."""

import pytest

from sweeper.config.command_line import read_command_line
from sweeper.system.errors import BadInput


def test_flags_and_overrides_come_in_any_order():
    asked = read_command_line(["seed=1,2", "--arm", "a: seed=1", "-m", "epochs=3", "--arm=b: seed=2"])
    assert asked.multirun and asked.overrides == ["seed=1,2", "epochs=3"] and asked.arm == ["a: seed=1", "b: seed=2"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--arms", "a: seed=1"], "unrecognized arguments: --arms; see python -m sweeper.train --help"),
        (["--optimizer", "adam", "-m"], "--optimizer adam: options have no dashes; write optimizer=adam"),
        (["--batch-size=64"], "--batch-size=64: options have no dashes; write batch_size=64"),
        (["seed=1", "--lr", "0.1", "epochs=3"], "--lr 0.1: options have no dashes; write optimizer.lr=0.1"),
        (["--seeds", "1", "2"], "--seeds 1 2: options have no dashes; write -m seed=1,2"),
        (["--arm"], "argument --arm: expected one argument"),
        (["--config-path", "x"], "--config-path isn't for this command; --config-dir adds groups of yours"),
        (["-m", "--cfg", "job"], "--cfg shows one run's configuration; leave out -m"),
        (["--resolve"], "--package and --resolve are for --cfg"),
    ],
)
def test_what_is_no_flag_is_refused_in_a_line(words, told):
    with pytest.raises(BadInput) as refused:
        read_command_line(words)
    assert str(refused.value).startswith(told) and "\n" not in str(refused.value)
