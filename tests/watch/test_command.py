"""The live table as a user has it: once, as JSON, and in a pseudo-terminal until Ctrl-C."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import merged, run_module
from json_schema import check
from made_runs import change_record, make_run

from sweeper.runs.sweep_files import write_sweep
from sweeper.runs.under_way import UnderWay
from sweeper.system.lock import Lock
from sweeper.watch import command as watch
from sweeper.watch.command import main


def test_once_prints_every_run_and_ends(tmp_path, capsys):
    for seed in range(30):
        make_run(tmp_path, seed=seed)
    make_run(tmp_path, "failed", optimizer="adam", error="CUDA out of memory")
    assert main([str(tmp_path), "--once"]) == 0
    text = capsys.readouterr().out
    assert len(re.findall(r"seed\d+-\w+ +completed +3/3 +90.00 % +2,000", text)) == 30
    assert ": CUDA out of memory" in text and "1 failed, 30 completed" in text and "\x1b" not in text


def test_without_a_terminal_it_prints_once(tmp_path, capsys):
    make_run(tmp_path)
    assert main([str(tmp_path)]) == 0 and capsys.readouterr().out.count("images/s") == 1


def test_json_has_the_documented_fields(tmp_path, capsys):
    make_run(tmp_path)
    change_record(make_run(tmp_path, seed=2), status="comp")
    assert main(["--json", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    check("watch", document)
    documented = set(re.findall(r"`(\w+)`", watch.__doc__.partition("Its fields")[2]))
    fields = {*document, *document["progress"], *document["machine"], *(key for run in document["runs"] for key in run)}
    assert fields <= documented
    assert all(set(run) == set(document["runs"][0]) for run in document["runs"])
    damaged, completed = document["runs"]
    assert (completed["status"], completed["test_accuracy"], completed["optimizer"], completed["epoch"]) == (
        "completed",
        0.9,
        "sgd",
        3,
    )
    assert damaged["status"] == "damaged" and damaged["optimizer"] is None
    assert document["progress"]["counts"] == {"damaged": 1, "completed": 1}
    assert document["progress"]["ends"] is None and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", document["time"])


def test_json_has_what_the_live_table_shows_of_a_run_that_trains(tmp_path, capsys):
    """What it is named by, not the hash of its folder, and how far it is within an epoch."""
    begun, coming = make_run(tmp_path, "running", epochs=2), tmp_path / "digits-cnn" / "sgd-seed4-00000000"
    labels = {begun: "lr 0.1, seed 1", coming: "lr 0.3, seed 4"}
    write_sweep(tmp_path, "abc", [(begun, 2, False), (coming, 2, False)], labels)
    (begun / "metrics.csv").unlink()
    make_run(tmp_path, seed=9)  # of another sweep
    with Lock(begun / "run.lock"):
        lock = begun / "run.lock"
        work = UnderWay(0.25, 40.0).to_json()
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"work": work, "unchanged": 0.0}))
        assert main([str(tmp_path), "--once"]) == 0
        table = capsys.readouterr().out
        assert main(["--json", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    check("watch", document)
    told = [(run["label"], run["status"], run["epoch"], run["epoch_part"]) for run in document["runs"]]
    assert told == [
        ("lr 0.1, seed 1", "running", 0, 0.25),
        ("lr 0.3, seed 4", "waiting", 0, 0.0),
        (None, "completed", 3, 0.0),
    ]
    assert document["progress"]["share"] == 0.25 / 4 and " 6 %" in table
    assert all(label in table for label in labels.values())


def test_the_same_optimizers_in_two_sweeps_at_once_are_told_apart(tmp_path, capsys):
    for key, data, model in (("one", "digits", "cnn"), ("two", "mnist1d", "cnn1d")):
        coming = [tmp_path / f"{data}-{model}" / f"{name}-seed1-0000000{k}" for k, name in enumerate(("sgd", "adam"))]
        labels = dict(zip(coming, ("sgd", "adam"), strict=True))
        write_sweep(tmp_path, key, [(run, 2, False) for run in coming], labels)
    assert main([str(tmp_path), "--once"]) == 0
    table = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines() if "waiting " in line]
    assert sorted(table) == ["digits-cnn adam", "digits-cnn sgd", "mnist1d-cnn1d adam", "mnist1d-cnn1d sgd"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["."], "there are no runs in this folder"),
        (["--onec=1"], "see python -m sweeper.watch --help"),
    ],
)
@pytest.mark.parametrize("how", [[], ["--json"]])
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, words, how):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, *how]) == 2
    out, error = capsys.readouterr()
    assert error.startswith("error: ") and words in error and error.count("\n") == 1 and out == ""


def test_it_imports_neither_torch_nor_pandas_nor_hydra(tmp_path):
    make_run(tmp_path)
    code = (
        "import sys; from sweeper.watch.command import main; main([sys.argv[1], '--once']);"
        "print({'torch', 'pandas', 'scipy', 'hydra'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    for seed in range(3):
        make_run(tmp_path, seed=seed)
    command = f"{sys.executable} -m sweeper.watch --json {tmp_path} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, *command: object, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            merged(*command),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30", **environment},
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, words: str | None, seconds: float = 60) -> str:
        """What was shown when `words` have appeared since the last call; None: at the program's end."""
        begun, until = len(self.text), time.monotonic() + seconds
        while words is None or words not in self.text[begun:]:
            assert time.monotonic() < until, self.text
            try:
                chunk = os.read(self._ours, 4096)
            except OSError:  # Linux's way to say that the other end is closed
                chunk = b""
            if not chunk:
                assert words is None, self.text
                break
            self.text += chunk.decode(errors="replace")
        return self.text[begun:]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_on_a_terminal_it_goes_on_until_it_is_ended(tmp_path, number, code):
    directory = make_run(tmp_path, "failed", error="no memory")
    terminal = Terminal(sys.executable, "-m", "sweeper.watch", tmp_path)
    terminal.read_until("1 failed")
    change_record(directory, status="completed", error=None)
    change_record(directory, result__final_test_accuracy=0.5)
    terminal.read_until("1 completed")
    terminal.process.send_signal(number)
    rest = terminal.read_until(None)
    assert terminal.process.wait() == code
    assert "\x1b[?25h" in rest and "Traceback" not in terminal.text  # the cursor is shown again


def test_the_module_answers_as_a_command(tmp_path):
    make_run(tmp_path / "outputs")
    done = run_module("watch", "--once", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and "1 completed" in done.stdout
