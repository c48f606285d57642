"""Each shell command of the READMEs and of docs/ is carried out by a test, or parsed, or its reason is told."""

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections import Counter

import pytest
from conftest import REPOSITORY
from documented_commands import (
    BY_MAKE_COMMANDS,
    CHINESE,
    DOCS,
    ELSEWHERE,
    GPU,
    INSTALLED,
    LEFT_OUT,
    LONG,
    NORMAL,
    PAGES,
    PARSED,
    RAY,
    README,
    SLURM,
    TUTORIAL,
    main,
    read_commands,
    treatment,
)
from small_commands import SWEEP

from sweeper.config.grid import compose_grid
from sweeper.config.overrides import sweep_values

LATER = (LONG, INSTALLED, GPU, RAY, SLURM)  # tests that aren't of the normal set
PRESETS = ("tuned", "digits_10", "chosen")  # that the commands before write into mine/


class ParsedAlready(BaseException):
    """Ends a command where its work would begin."""


@pytest.fixture
def parse(monkeypatch, tmp_path):
    """`parse(command)`: what a command does before its work."""
    for name in PRESETS:
        (tmp_path / "mine" / "experiment").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "experiment" / f"{name}.yaml").write_text("# @package _global_\nsave_model: false\n")
    (tmp_path / "FOLDER").mkdir()  # which the documentation says for a folder of the reader's
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
            assert dry_run(*words)
        elif first == "uv" or "--test-only" in words:
            return  # their options are uv's and Slurm's own: tests that aren't of the normal set carry them out
        elif first == "pytest":
            assert all((REPOSITORY / word).is_file() for word in words if word.startswith("tests/"))
        elif first == "sbatch":
            assert (REPOSITORY / "docs/slurm.sh").is_file()
            compose("hydra/launcher=packed", "-m", *words[words.index("docs/slurm.sh") + 1 :])
        elif words[0] == "-c":
            compile(words[1], command, "exec")
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


def dry_run(*targets: str) -> list[str]:
    """The lines that make would carry out."""
    command = ["make", "--dry-run", "--no-print-directory", *targets]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()


def test_make_sweep_is_the_command_that_is_carried_out_for_it():
    assert dry_run("sweep")[-1] == SWEEP.replace("python ", ".venv/bin/python ", 1)


@pytest.mark.parametrize("page", [TUTORIAL, *DOCS.glob("how-to/*.md")], ids=lambda page: page.stem)
def test_examples_have_the_short_form(page):
    """The tutorial's first has both."""
    text = page.read_text(encoding="utf-8")
    long = re.findall(r"python -m sweeper\.(\w+ .*)", text)
    assert long == (re.findall(r"^    sweeper (\w+ .*)", text, re.MULTILINE)[:1] if page == TUTORIAL else [])


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_each_command_of_a_readme_is_carried_out(page):
    """But for those that download, and the tests themselves."""
    others = [command for command in read_commands(page) if treatment(command)[0] != "carried out"]
    assert [command for command in others if not re.match(r"git clone|pip |uv |make test$|\. \.venv", command)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != CHINESE], ids=lambda page: page.stem)
def test_a_command_that_the_normal_set_does_not_carry_out_is_right(page, parse):
    for command in read_commands(page):
        done, by = treatment(command)
        if done == "parsed" or (by in LATER and "against=cifar" not in command):
            parse(command)  # but for one that reads a folder which the command before it makes


def test_the_list_has_each_command_with_its_treatment_and_ends_with_the_totals(capsys):
    main()
    *lines, totals = capsys.readouterr().out.splitlines()
    assert all(len(line.split("\t")) >= 4 for line in lines)
    counted = Counter(line.split("\t")[1] for line in lines)
    assert totals == ", ".join(f"{count} {done}" for done, count in counted.most_common())
    (study,) = [line for line in lines if "against=study" in line and "tune=true outputs" in line]
    assert study.split("\t")[1:3] == ["carried out by make commands", LONG] and "against=field" in study.split("\t")[4:]


def test_reasons_are_those_of_commands_and_name_tests_that_are_there():
    commands = {command for page in PAGES for command in read_commands(page)}
    by = Counter(treatment(command)[1] for command in commands)
    assert len(commands) > 120 and by[NORMAL] > 35 and by[LONG] > 50
    for reasons in (ELSEWHERE, PARSED, BY_MAKE_COMMANDS, LEFT_OUT):
        for pattern, why in reasons.items():
            assert any(re.search(pattern, command) for command in commands), pattern
            assert all(os.path.exists(REPOSITORY / place) for place in re.findall(r"tests/[\w/.]+\w", why))
