"""Each shell command of the READMEs and of docs/ is carried out by a test, or parsed, or its reason is told."""

import argparse
import importlib
import os
import re
import shlex
import sys
from collections import Counter

import pytest
from conftest import REPOSITORY
from documented_commands import (
    ELSEWHERE,
    LEFT_OUT,
    PAGES,
    PARSED,
    read_commands,
    treatment,
)

from sweeper.config.grid import compose_grid
from sweeper.config.overrides import sweep_values

CHINESE = REPOSITORY / "README.zh-CN.md"  # test_readme.py holds that its commands are those of README.md
PRESETS = ("tuned", "digits_10", "study_cifar10")  # that the commands before write into mine/


class ParsedAlready(BaseException):
    """Ends a command where its work would begin."""


@pytest.fixture
def parse(monkeypatch, tmp_path):
    """`parse(command)`: what a command does before its work."""
    for name in PRESETS:
        (tmp_path / "mine" / "experiment").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "experiment" / f"{name}.yaml").write_text("# @package _global_\nsave_model: false\n")
    monkeypatch.chdir(tmp_path)

    def end_here(*_, **__):
        raise ParsedAlready

    parsers = {name: getattr(argparse.ArgumentParser, name) for name in ("parse_args", "parse_intermixed_args")}
    tuning = (
        "sweeper.tune.search.carry_out_search",
        "sweeper.tune.time_needed.tell_time",
        "sweeper.decide.tuned.tune_all",
    )
    for place in ("sweeper.plan.forecast.forecast", "sweeper.decide.judge.judge", *tuning):
        monkeypatch.setattr(place, end_here)

    def parse(command: str) -> None:
        first, *words = shlex.split(command)
        if first == "pip":
            extras = re.findall(r"\[(.*)\]", words[-1])
            text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
            assert all(f"\n{extra} = [" in text for extra in extras)
        elif first == "make":
            text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{word}:", text, re.MULTILINE) for word in words)
        elif first == "sbatch":
            assert (REPOSITORY / "docs/slurm.sh").is_file()
            compose("hydra/launcher=packed", "-m", *words[words.index("docs/slurm.sh") + 1 :])
        elif words[0] != "-m":
            assert (REPOSITORY / words[0]).is_file()
        elif words[1] == "sweeper.train":
            compose(*(word for word in words[2:] if word not in ("--json", "--cfg", "job")))
        else:
            call(*words[1:])

    def compose(*words: str) -> None:
        """Of several values the first: each combination takes a quarter of a second. Choices are checked before."""
        with monkeypatch.context() as patch:
            patch.setattr("sweeper.config.grid.sweep_values", lambda *a: sweep_values(*a)[:1])
            assert compose_grid([*words]).cells

    def call(module: str, *words: str) -> None:
        command = importlib.import_module(module + ".command" * module.startswith("sweeper."))
        with monkeypatch.context() as patch, pytest.raises(ParsedAlready):
            patch.setattr(sys, "argv", [f"{module}.py", *words])
            if module not in ("sweeper.plan", "sweeper.tune", "sweeper.decide"):  # they take the words of sweeper.train
                for name, usual in parsers.items():
                    patch.setattr(argparse.ArgumentParser, name, lambda *a, usual=usual: end_here(usual(*a)))
            command.main()

    return parse


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != CHINESE], ids=lambda page: page.stem)
def test_a_command_that_no_test_carries_out_is_right(page, parse):
    for command in read_commands(page):
        if treatment(command)[0] == "parsed":
            parse(command)


def test_reasons_are_those_of_commands_and_name_tests_that_are_there():
    commands = {command for page in PAGES for command in read_commands(page)}
    assert len(commands) > 120 and Counter(treatment(command)[0] for command in commands)["carried out"] > 35
    for reasons in (ELSEWHERE, LEFT_OUT, PARSED):
        for pattern, why in reasons.items():
            assert any(re.search(pattern, command) for command in commands), pattern
            assert all(os.path.exists(REPOSITORY / place) for place in re.findall(r"tests/[\w/.]+\w", why))
