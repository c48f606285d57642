"""What a command is given by its surroundings never makes a traceback."""

import os
import resource
import subprocess
import sys
import threading

import pytest
from conftest import run_module
from made_runs import make_run

from sweeper.system.command import exit_code_of
from sweeper.system.errors import RunFailed
from sweeper.system.process_start import (
    check_memory_limit,
    check_process_limit,
    is_lack_of_memory,
    is_lack_of_processes,
    prepare_command,
)
from sweeper.train.launchers import registry


@pytest.mark.parametrize(("text", "stays"), [("0", False), ("-5", False), ("abc", False), ("²", False), ("132", True)])
def test_a_width_that_is_none_is_left_out(monkeypatch, text, stays):
    monkeypatch.setenv("COLUMNS", text)
    monkeypatch.setenv("LINES", text)
    prepare_command()
    assert ("COLUMNS" in os.environ, "LINES" in os.environ) == (stays, stays)


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_a_command_answers_without_standard_error(tmp_path, closed):
    make_run(tmp_path / "outputs")
    shell = f'"{sys.executable}" -m sweeper.watch'
    done = subprocess.run(["bash", "-c", f"{shell} --once {closed}"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout[:4], done.stderr) == (0, b"run ", b"")
    done = subprocess.run(["bash", "-c", f"{shell} --nope {closed}"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_figures_are_drawn_alike_with_a_notebooks_backend_other_settings_in_any_encoding_without_a_home(tmp_path):
    make_run(tmp_path / "outputs", tag="größer")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\naxes.facecolor: ffff00\n", encoding="utf-8")
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "HOME": "/proc/x", "MPLCONFIGDIR": ""}
    notebook = {"MPLBACKEND": "module://not_here.backend_inline"}
    done = run_module("report", "--figures", "f", cwd=tmp_path, **poor, **notebook)
    assert (done.returncode, done.stderr) == (0, "")
    assert "größer" in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    assert "#ffff00" not in (tmp_path / "f" / "seeds.svg").read_text(encoding="utf-8")


def test_too_small_a_limit_of_memory_is_a_line(tmp_path):
    make_run(tmp_path / "outputs")
    shell = f'ulimit -v 300000; exec "{sys.executable}" -m sweeper.report'
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    line = "error: ulimit -v allows this process 307 MB of memory; allow it at least 400 MB, to train several GB\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_a_limit_gives_linear_algebra_one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    check_memory_limit()
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**9, 10**9))
    check_memory_limit()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**8, 10**8))
    with pytest.raises(RunFailed):
        check_memory_limit()


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("No module named 'torch'"), False),
        (FileNotFoundError(2, "No such file or directory"), False),
    ],
)
def test_lack_of_memory_has_several_forms(error, is_it):
    assert is_lack_of_memory(error) is is_it


def test_too_few_processes_are_a_line(monkeypatch, capsys):
    """NumPy's linear algebra ended the command as a Ctrl-C does, with exit code 130, and joblib's workers hung."""
    start = threading.Thread.start
    left = [2, 2]  # for each of two checks

    def start_two(thread):
        if left[0] == 0:
            left.pop(0)
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    before = threading.active_count()
    assert exit_code_of(lambda: pytest.fail("the command was begun")) == 1
    line = capsys.readouterr().err
    assert line.startswith("error: only 2 of ") and "ulimit -u" in line and line.count("\n") == 1
    with pytest.raises(RunFailed, match="only 2 of 3 processes"):
        check_process_limit(3)
    assert threading.active_count() == before
    check_process_limit(0)


@pytest.mark.parametrize(
    "error", [BlockingIOError(11, "Resource temporarily unavailable"), RuntimeError("can't start new thread")]
)
def test_a_process_that_could_not_be_started_later_is_a_line(capsys, error):
    def fail():
        raise error

    assert is_lack_of_processes(error)
    assert not is_lack_of_processes(BlockingIOError(11, "Resource temporarily unavailable", "run.lock"))
    assert exit_code_of(fail) == 1
    assert capsys.readouterr().err.startswith("error: no more processes or threads could be started; ")


def test_what_stderr_could_not_write_is_dropped_here_and_in_processes(tmp_path):
    """It stayed in a buffer: the next process couldn't be started, and the exit code was 120."""
    code = (
        "import multiprocessing, sys; from sweeper.system.process_start import prepare_command as p; p();"
        "from sweeper.system.terminal import tell; tell('lost');"
        "child = multiprocessing.get_context('spawn').Process(target=print); child.start(); child.join();"
        "sys.exit(3 + child.exitcode)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=full, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize(("launcher", "wanted"), [("basic", 16), ("joblib", 24)])
def test_a_sweep_first_tries_whether_its_processes_can_be_started(call, monkeypatch, launcher, wanted):
    """As many as have a run: with fewer than they need joblib's workers hung."""
    tried = []

    def refuse(threads):
        tried.append(threads)
        raise RunFailed("too few")

    monkeypatch.setattr(registry, "check_process_limit", refuse)
    at_a_time = ["hydra.launcher.n_jobs=3"] if launcher == "joblib" else []
    words = ["dataset=digits", "model=mlp", "device=cpu", "seed=1,2", f"hydra/launcher={launcher}", *at_a_time]
    code, _, err = call("-m", *words)
    assert (code, tried, err.splitlines()[-1]) == (1, [wanted], "error: too few")
