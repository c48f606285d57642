"""The benchmarks' command lines: a wrong word is the first and only thing that is told, before anything begins."""

import argparse
import importlib
import re

import pytest
from conftest import REPOSITORY

from benchmarks.command_line import count, counts, folder, new_file, seconds, some_of
from benchmarks.figures import write_csv
from sweeper.system.command import exit_code_of

FILES = sorted((REPOSITORY / "benchmarks").glob("*.py"))
# `idle_host` is started by `host` alone, also with another checkout's modules.
COMMANDS = [file.stem for file in FILES if "def main(" in file.read_text() and file.stem != "idle_host"]
TYPO = "optimzer=sgd"
TOLD = "error: optimzer=sgd: there is no option 'optimzer'"
CHECKOUT = str(REPOSITORY)


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """`told(name, *words)`: what a benchmark says to a wrong word, one line, where there is no GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("benchmarks.command_line.probe_kind", lambda: "cpu")

    def told(name: str, *words: str) -> str:
        monkeypatch.setattr("sys.argv", [name, *words])
        try:
            code = exit_code_of(importlib.import_module(f"benchmarks.{name}").main)
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), out + err
        assert not list(tmp_path.iterdir())
        return err

    return told


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_unknown_is_told_in_a_line(told, name):
    needed = {"textbook": ("--root", ".", "--csv", "x.csv"), "loops": ("plain",)}
    line = told(name, *needed.get(name, ()), "--nope")
    assert line == f"error: unrecognized arguments: --nope; see python -m benchmarks.{name} --help\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_what_a_benchmark_does(monkeypatch, capsys, name):
    monkeypatch.setattr("sys.argv", [name, "--help"])
    module = importlib.import_module(f"benchmarks.{name}")
    with pytest.raises(SystemExit) as ended:
        module.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "") and module.__doc__.splitlines()[0] in out


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("host", (TYPO,), TOLD),
        ("host", ("seed=1,2",), "error: seed=1,2: several values are a sweep"),
        ("host", ("optimizer.lr=-1",), "error: optimizer.lr=-1: must be above 0"),
        ("host", ("device=cuda",), "error: device=cuda: "),
        ("host", ("--only", "mlp"), "--only: mlp: unknown; there are digits mlp, "),
        ("host", ("--idle", TYPO), "--idle: trains digits' MLP as it is"),
        ("host", ("--beside", CHECKOUT), "--beside and --rounds: are of --idle"),
        ("host", ("--idle", "--beside", "/"), "--beside /: is no checkout of sweeper"),
        ("kernels", (TYPO,), TOLD),
        ("kernels", ("--optimizers", "sgdd"), "error: optimizer=sgdd: there is no such optimizer"),
        ("kernels", (), "error: needs a GPU with CUDA"),
        ("peers", (TYPO,), TOLD),
        ("peers", (TYPO, "--only", "plain"), "is for sweeper alone, which --only leaves out"),
        ("peers", ("--only", "plain,x"), "--only: x: unknown; there are plain, "),
        ("peers", ("--device", "cuda"), "--device cuda: there is no GPU with CUDA here"),
        ("scaling", (TYPO,), TOLD),
        ("scaling", ("--only", "auto", TYPO), TOLD),
        ("scaling", ("--lanes", "1,0"), "--lanes: 0: a whole number from 1 on"),
        ("scaling", ("--optimizers", "sgdd"), "error: optimizer=sgdd"),
        ("reproduce", ("cifar10-sgd", TYPO), TOLD),
        ("reproduce", ("cifar11",), "invalid choice: 'cifar11'"),
        ("step", (TYPO, "--profile"), TOLD),
        ("step", ("--recipe", "ema=0.9"), "error: ema is given twice"),
        ("textbook", ("--root", "gone", "--csv", "x.csv"), "--root gone: isn't there"),
        ("loops", ("x",), "invalid choice: 'x'"),
        ("waiting", ("--into", "gone"), "--into: gone: there is no such folder"),
        ("answer", ("--runs", "16"), "--runs 16: 15 or a multiple"),
        ("answer", ("--trained", "1"), "--trained: at least 2"),
        ("answer", ("--csv", "gone/x.csv"), "--csv: gone/x.csv: no file can be written there"),
        ("batch_norm", ("--channels", "5"), "--channels: invalid choice: 5"),
        ("newton_schulz", ("--seconds", "nan"), "--seconds: nan: seconds above 0"),
        ("tilings", ("--kernel", "x"), "--kernel: invalid choice: 'x'"),
        ("soak", ("--launcher", "x"), "--launcher: invalid choice: 'x'"),
    ],
)
def test_a_wrong_word_is_told_first_and_alone(told, name, words, line):
    """Also where what it needs isn't here, such as a GPU."""
    assert line in told(name, *words)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["peers", "scaling"])
def test_a_word_that_the_timed_command_refuses_ends_the_benchmark(told, name, monkeypatch):
    """One that is found only by building what it names: no other way is timed before."""
    words = ("dataset=digits", "model=mlp") if name == "scaling" else ("--dataset", "digits")
    line = told(name, *words, "dataset.validation_fraction=0.9999")
    assert line.startswith("error: dataset.validation_fraction=0.9999: leaves no training images")


@pytest.mark.parametrize("name", ["coverage", "decide", "pairing", "power"])
@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nope", 2)])
def test_a_benchmark_without_options_begins_nothing_at_any_word(monkeypatch, capsys, name, word, code):
    monkeypatch.setattr("sys.argv", [name, word])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert f"python -m benchmarks.{name}" in (out or err)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5"])
def test_a_number_of_something_is_a_whole_one_from_1_on(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text}: a whole number from 1 on"):
        count(text)


def test_no_option_of_a_benchmark_takes_no_rounds_at_all():
    """It would leave a file without rows."""
    for file in (REPOSITORY / "benchmarks").glob("*.py"):
        assert not re.search(r'"--(rounds|runs|trained|sweep-lanes)",\s+type=int', file.read_text()), file.name


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (counts, "1,x", "x: a whole number from 1 on"),
        (seconds, "0", "0: seconds above 0"),
        (seconds, "inf", "inf: seconds above 0"),
        (some_of(("a", "b")), "a,c", "c: unknown; there are a, b"),
        (new_file, "gone/x.csv", "gone/x.csv: no file can be written there"),
        (new_file, "/", "/: no file can be written there"),
        (folder, "gone", "gone: there is no such folder"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_refused(kind, text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        kind(text)


def test_a_value_of_its_kind_is_taken(tmp_path):
    assert (counts("1,2"), seconds("0.5"), some_of(("a", "b"))("b,a")) == ([1, 2], 0.5, ["b", "a"])
    file = tmp_path / "x.csv"
    assert new_file(str(file)) == file and folder(str(tmp_path)) == tmp_path
    write_csv(file, ("a",), [{"a": 1}])
    assert new_file(str(file)) == file
