"""A command ends by an exit code and a line, whatever stops it."""

import doctest
import importlib
import json
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from made_runs import make_run

import sweeper
from sweeper.system import command
from sweeper.system.command import NO_FOLDER, Parser, exit_code_of, split_own, writing
from sweeper.system.errors import BadInput, RunFailed


def raising(error: BaseException):
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("run", "code", "line"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (raising(BadInput("seed=x: no\x1b number")), 2, "error: seed=x: no  number\n"),
        (raising(RunFailed("out of memory")), 1, "error: out of memory\n"),
        (raising(PermissionError(13, "Permission denied", "a/run.json")), 2, "error: a/run.json: Permission denied\n"),
        (raising(KeyboardInterrupt()), 130, ""),
    ],
)
def test_what_stops_a_command_is_its_exit_code_and_a_line(run, code, line, capsys):
    assert exit_code_of(run) == code
    assert capsys.readouterr() == ("", line)


@pytest.fixture
def removed_folder(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    monkeypatch.chdir(tmp_path / "d")
    (tmp_path / "d").rmdir()


@pytest.mark.usefixtures("removed_folder")
def test_a_current_folder_that_was_removed_is_the_cause_of_what_fails(capsys):
    for error in (
        BadInput("outputs: there is no such folder"),
        RunFailed("dataset=digits: no such file"),
        OSError("no"),
    ):
        assert exit_code_of(raising(error)) in (1, 2)
        assert capsys.readouterr().err == f"error: {NO_FOLDER} ({error})\n"
    assert exit_code_of(lambda: None) == 0 and capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.usefixtures("removed_folder")
@pytest.mark.parametrize(
    "words",
    [
        *("train dataset=digits", "train -m dataset=digits seed=1,2 --json", "plan dataset=digits", "datasets mnist"),
        *("tune optimizer=sgd", "decide optimizer=sgd", "doctor", "verify RUNS"),
        *("aggregate", "report", "choose", "watch"),
    ],
)
def test_every_command_says_that_its_current_folder_was_removed(tmp_path, words):
    make_run(tmp_path / "runs")
    command, *given = words.replace("RUNS", str(tmp_path / "runs")).split()
    started, environment = [sys.executable, "-m", f"sweeper.{command}", *given], {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(started, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"error: {NO_FOLDER}"), done.stderr
    if "--json" in given:
        assert json.loads(done.stdout)["error"].startswith(NO_FOLDER)


def test_a_command_whose_standard_output_is_closed_runs(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_code_of(lambda: print("unheard")) == 0
    sys.stdout.close()


def test_options_are_refused_in_a_line_and_folders_may_be_given_as_to_train():
    parser = Parser("watch", "")
    assert parser.parse_args([]).outputs == ["outputs"]
    assert parser.parse_args(["a", "outputs=b"]).outputs == ["a", "b"]
    with pytest.raises(BadInput, match=r"unrecognized arguments: --nope; see python -m sweeper\.watch --help$"):
        parser.parse_args(["--nope"])


@pytest.mark.parametrize(
    ("module", "words", "told"),
    [
        ("report", ["--output", "page"], "unrecognized arguments: --output (did you mean --into?); see "),
        ("watch", ["--one"], "unrecognized arguments: --one (did you mean --once?); see "),
        ("report", ["optimizer=sgd"], "optimizer=sgd: there is no such folder; overrides are for sweeper.train; "),
        (
            "aggregate",
            ["--format", "csv", "latex"],
            "latex: there is no such folder; several formats are one word, --f",
        ),
        ("aggregate", ["--format", "csv,", "latex"], "--format csv,: a name is missing; write them with commas alone"),
        ("aggregate", ["--format", "md"], "--format md: there is no such format; did you mean 'markdown'? "),
        ("report", ["--margin"], "--margin: nothing is given; give a value, or leave it out; see "),
        ("doctor", ["gpu"], "gpu: every device is tested; leave it out, or name an outputs folder ./gpu"),
        ("plan", ["--probe", "10"], "unrecognized arguments: --probe (did you mean --probe-seconds?); see "),
        ("plan", ["--within", "5", "hours"], "--within 5 hours: must be a time above 0, such as 5h, "),
        ("decide", ["--seeds", "3"], "unrecognized arguments: --seeds (did you mean --most-seeds?); see "),
        ("decide", ["--looks", "3", "5", "8"], "--looks 3 5 8: must be numbers of seeds from 2, rising, such as 3,5,8"),
        ("decide", ["--arm", "sgd"], '--arm "sgd": it has no name; write "sgd: optimizer=sgd"'),
        ("decide", ["--arms", "a: seed=1"], "unrecognized arguments: --arms (did you mean --arm?); see "),
    ],
)
def test_what_is_typed_wrongly_is_refused_with_what_was_meant(module, words, told, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert importlib.import_module(f"sweeper.{module}.command").main(words) == 2
    out, line = capsys.readouterr()
    assert out == "" and line.startswith(f"error: {told}") and line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_folders_stand_anywhere_among_the_options():
    parser = Parser("watch", "")
    parser.add_argument("--into")
    assert parser.parse_args(["a", "--into", "x", "b"]).outputs == ["a", "b"]


MARGINS = "--margin is given twice: 0.2 and 0.5; give one"


@pytest.mark.parametrize(
    ("module", "words", "told"),
    [
        ("aggregate", ["--margin", "0.2", "--margin=0.5"], MARGINS),
        ("aggregate", ["--marg", "0.2", "runs", "--margin", "0.2", "--margin=0.5"], MARGINS),
        ("aggregate", ["--format", "csv", "--format", "latex"], "--format is given twice: csv and latex; give one"),
        ("report", ["--figures", "a", "runs", "--figures", "b"], "--figures is given twice: a and b; give one"),
        ("choose", ["--confirm", "2", "runs", "--confirm=3"], "--confirm is given twice: 2 and 3; give one"),
        ("choose", ["--write", "a", "--write", "b"], "--write is given twice: a and b; give one"),
        ("verify", ["--sample", "2", "--sample", "3"], "--sample is given twice: 2 and 3; give one"),
        ("verify", ["device=cpu", "device=mps"], "device is given twice: cpu and mps; give one"),
        ("plan", ["--within", "5h", "-m", "--within=6h"], "--within is given twice: 5h and 6h; give one"),
        ("decide", ["--level=0.1", "--level", "0.2"], "--level is given twice: 0.1 and 0.2; give one"),
    ],
)
def test_an_option_with_two_values_is_refused_with_both(module, words, told, capsys):
    """In every command; only the last one would count."""
    assert importlib.import_module(f"sweeper.{module}.command").main(words) == 2
    assert capsys.readouterr() == ("", f"error: {told}\n")


def test_an_option_with_one_value_may_be_repeated():
    parser = Parser("watch", "")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_intermixed_args(["--every", "5", "a", "--json", "--every=5", "b", "--json"])
    assert (given.every, given.json, given.outputs) == (5, True, ["a", "b"])
    assert split_own(["--within", "5h", "--within=5h"], ("--within",)) == ({"--within": "5h"}, [])


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        Parser("watch", "").parse_args(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"sweeper {sweeper.__version__}\n")


def test_what_can_not_be_written_is_told_with_what_to_do(tmp_path):
    assert doctest.testmod(command).failed == 0
    with pytest.raises(BadInput) as failure, writing(tmp_path, "go elsewhere"):
        (tmp_path / "gone" / "file").write_text("")
    line = f"{tmp_path}/gone/file: can't be written: No such file or directory; go elsewhere"
    assert str(failure.value) == line
