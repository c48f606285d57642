"""A command ends by an exit code and a line, whatever stops it."""

import doctest
import sys

import pytest

import sweeper
from sweeper.system import command
from sweeper.system.command import Parser, exit_code_of, writing
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
