"""What is said reaches standard output at once, and no reader, room or encoding of it makes a traceback."""

import logging
import logging.config
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sweeper.system.files import CONF
from sweeper.system.terminal import say

SAY = "import sys; from sweeper.system.terminal import say\n"


def run(code: str, stdout: int, **environment: str) -> tuple[int, str]:
    """The exit code and stderr of a process with this stdout, buffered as usual."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | environment
    command = [sys.executable, "-c", SAY + code]
    done = subprocess.run(command, env=usual, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def test_a_reader_that_is_gone_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run("for k in range(3): say('unheard')\nprint('x' * 10**6)\nsys.exit(7)", writing) == (7, "")
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_file_without_room_is_an_error_that_names_standard_output():
    code = "try: say('x')\nexcept OSError as error: sys.exit(f'{error.filename}: {error.strerror}')"
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert run(code, full.fileno()) == (1, "standard output: No space left on device\n")


@pytest.mark.parametrize(("encoding", "words"), [("utf-8", "94 % – größer"), ("ascii", "94 % ? gr??er")])
def test_letters_that_an_encoding_lacks_become_question_marks(tmp_path, encoding, words):
    with (tmp_path / "said").open("w") as file:
        assert run("say('94 % – größer')", file.fileno(), PYTHONIOENCODING=encoding) == (0, "")
    assert (tmp_path / "said").read_text() == f"{words}\n"


@pytest.mark.parametrize(("styled", "words"), [(False, "a [31m b\n"), (True, "a\x1b[31m\u202eb\n")])
def test_escape_sequences_are_our_own(capsys, styled, words):
    say("a\x1b[31m\u202eb", styled=styled)
    assert capsys.readouterr().out == words


@pytest.mark.parametrize("file", ["job_logging", "hydra_logging"])
def test_the_log_is_printable(file):
    formatters = yaml.safe_load((CONF / "hydra" / file / "sweeper.yaml").read_text())["formatters"]
    record = logging.makeLogRecord({"msg": "%s: failed", "args": ("a\x1b[31m\u202eb\nc",)})
    for options in formatters.values():
        formatter = logging.config.DictConfigurator({}).configure_formatter(dict(options))
        assert formatter.format(record).endswith("a [31m b\nc: failed")


def test_a_word_is_there_before_the_process_goes_on(tmp_path):
    with (tmp_path / "said").open("w") as file:
        code = "say('now', end='')\nimport os; os._exit(0)"
        assert run(code, file.fileno()) == (0, "")
    assert (tmp_path / "said").read_text() == "now"


def test_a_terminal_that_has_been_closed_is_left_and_what_is_open_stays(tmp_path):
    ours, theirs = pty.openpty()
    code = """
import os, sys
from sweeper.system.terminal import leave_closed_terminal
leave_closed_terminal()
print("open", file=sys.stderr)
input()
try: os.write(2, b"x")
except OSError: os.write(1, b"refused ")
leave_closed_terminal()
os.write(2, b"x")
os.write(1, b"discarded")
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, text=True, **pipes) as process:
        os.close(theirs)
        told = b""
        while not told.endswith(b"\n"):  # Python may write a line's end by itself, and must have
            told += os.read(ours, 100)
        assert told.strip() == b"open"
        os.close(ours)
        assert process.communicate("\n", timeout=60)[0] == "refused discarded"
    assert process.returncode == 0
