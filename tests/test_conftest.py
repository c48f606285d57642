"""The suite itself: what its tests start has the usual signals, and doesn't outlive a test that fails."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
IGNORING = [
    "bash",
    "-c",
    """trap "" INT QUIT HUP; exec "$@\"""",
    "bash",
]  # as `nohup … &` of a shell without job control

TESTS = """
import os, signal, subprocess, sys, time
import pytest

NUMBERS = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP]

@pytest.mark.parametrize("number", NUMBERS)
def test_ignored_here_but_not_by_children(number):
    os.kill(os.getpid(), number)
    code = "import sys; sys.stdout.write('started'); sys.stdout.flush(); import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.read(7) == b"started"
    process.send_signal(number)
    assert process.wait(timeout=20) == -number

def test_that_fails():
    subprocess.Popen(["bash", "-c", "sleep 1000 & sleep 1000"])
    ended = subprocess.Popen(["bash", "-c", "sleep 1000 &"])
    ended.wait()
    assert False

def test_that_times_out():
    subprocess.run(["bash", "-c", "sleep 1000 & sleep 1000"], timeout=0.5)
"""


def run_suite(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*IGNORING, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_under_nohup_children_have_the_usual_signals_and_failed_tests_leave_nothing(tmp_path, workers):
    (tmp_path / "test_small.py").write_text(TESTS)
    mark = f"started-in-{tmp_path.name}-{os.getpid()}"
    done = run_suite("-p", "conftest", *workers, "test_small.py", cwd=tmp_path, PYTHONPATH=str(HERE), MARK=mark)
    assert "3 passed" in done.stdout and "2 failed" in done.stdout, done.stdout + done.stderr
    if Path("/proc/self/environ").exists():
        time.sleep(0.2)
        assert [path for path in Path("/proc").glob("[0-9]*/environ") if mark.encode() in read(path)] == []


def test_a_suite_that_is_terminated_leaves_nothing(tmp_path):
    (tmp_path / "test_long.py").write_text(
        "import subprocess\n\ndef test_long():\n    subprocess.run(['bash', '-c', 'echo $$ > pid; exec sleep 1000'])\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "conftest", "test_long.py"]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    suite = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert suite.poll() is None
        time.sleep(0.02)
    suite.terminate()
    assert suite.wait(timeout=60) == 143
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # killed, it is gone once the system's first process has seen that it ended
            os.kill(int((tmp_path / "pid").read_text()), 0)
            time.sleep(0.1)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # ended, or somebody else's
        return b""


@pytest.mark.slow
def test_what_waits_for_a_signal_passes_under_nohup():
    """Of the suite itself, the command that a signal ends."""
    done = run_suite("tests/watch/test_command.py", "-k", "on_a_terminal", cwd=HERE.parent)
    assert re.search(r"^3 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
