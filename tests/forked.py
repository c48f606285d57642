"""The command lines as forks of one process that has imported torch and pandas already.

A cold start takes three seconds of imports, in which a kill can hit nothing of ours; forked, `train.main` composes,
trains and writes within its first tenths. From the fork on everything is as a user has it: arguments, folder, a
process group of its own, signals, launchers, workers (which joblib starts cold) and the files.
"""

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from conftest import merged

from sweeper.system.command import exit_code_of

PRELOAD = ["torch", "torchvision", "pandas", "sklearn.datasets", "joblib", "hydra.core.plugins", "sweeper.engine.loop"]
PRELOAD += ["sweeper.train.rehearse", "sweeper.runs.results", "sweeper.report.page", "pytest"]  # the last by conftest
PRELOAD += [f"sweeper.{room}.command" for room in ("train", "aggregate", "report", "watch")]

# As a `patch`: a sweep's tables and page are made within its process, without Python's start, which takes seconds.
TABLES_HERE = """
from unittest.mock import patch
from sweeper.aggregate.command import main as aggregate
from sweeper.report.command import main as report
patch("sweeper.train.sweep.update_tables", lambda outputs, _: aggregate([outputs]) == report([outputs]) == 0).start()
"""

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(PRELOAD)
_started: list["Command"] = []


@dataclass
class Command:
    """One command line at work. `log` gets what it prints."""

    process: multiprocessing.process.BaseProcess
    log: Path

    def kill(self, pid: int | None = None) -> None:
        """SIGKILL to one process of the command, or, by default, to all of them at once; gone already is well."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL) if pid is not None else os.killpg(self.pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """The command's processes with its workers; without joblib's own watchers, whose death it tells at length."""
        group = [pid for pid in _all_processes() if _group(pid) == self.pid]
        return sorted(pid for pid in group if b"resource_tracker" not in _command_line(pid))

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, -9 of a killed one; None when it is still at work after so many seconds."""
        self.process.join(seconds)
        return self.process.exitcode

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def start(
    module: str,
    *arguments: object,
    cwd: Path,
    log: Path,
    errors: Path | None = None,
    patch: str = "",
    environment: Mapping[str, str] | None = None,
) -> Command:
    """`python -m sweeper.<module> …` in `cwd`, or `python -m benchmarks.<name> …`.

    Args:
        log: gets what it prints.
        errors: gets what it prints to stderr; by default `log`.
        patch: code run before it, for what can't be done from outside.
        environment: all variables; by default those of the process of which all are forks.
    """
    words = merged(*arguments)
    given = (module, words, str(cwd), str(log), str(errors or log), patch, environment)
    process = _server.Process(target=_run, args=given)
    process.start()
    command = Command(process, log)
    _started.append(command)
    return command


def kill_all() -> None:
    """What is still at work, of a test that has failed."""
    for command in _started:
        if command.wait(0) is None:
            command.kill()


def run_forked(
    module: str, *arguments: object, cwd: Path, patch: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same as `conftest.run_module`, without Python's start and imports: for what isn't about these.

    Args:
        patch: as for `start`.
    """
    if "PYTHONPATH" in environment and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
    with tempfile.TemporaryDirectory() as folder:
        log, errors = Path(folder) / "out", Path(folder) / "err"
        variables = {**os.environ, **environment}
        command = start(module, *arguments, cwd=cwd, log=log, errors=errors, patch=patch, environment=variables)
        code = command.wait(300)
        if code is None:
            command.kill()
            raise subprocess.TimeoutExpired([module, *map(str, arguments)], 300, log.read_bytes(), errors.read_bytes())
        return subprocess.CompletedProcess([module, *map(str, arguments)], code, log.read_text(), errors.read_text())


def run(
    module: str, *arguments: object, cwd: Path, patch: str = "", seconds: float = 120, log: Path | None = None
) -> tuple[int, str]:
    """The same to its end: exit code and what it printed. `log` is where that lies meanwhile."""
    command = start(module, *arguments, cwd=cwd, log=log or cwd / f".log-{os.urandom(4).hex()}", patch=patch)
    code = command.wait(seconds)
    if code is None:
        command.kill()
        raise AssertionError(f"still at work after {seconds} s: {module} {arguments}\n{command.text}")
    text = command.text
    command.log.unlink(missing_ok=True)
    return code, text


def _run(
    module: str,
    arguments: list[str],
    cwd: str,
    log: str,
    errors: str,
    patch: str,
    environment: Mapping[str, str] | None,
) -> None:
    os.setsid()
    os.chdir(cwd)
    for stream, file in ((1, log), (2, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # its TMPDIR counts
        own = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path not in sys.path]
        sys.path[:0] = [cwd, *own]
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  for the process's life
    sys.argv = [module, *arguments]

    def command() -> int:
        exec(patch, {})
        if not module.startswith("benchmarks."):
            return importlib.import_module(f"sweeper.{module}.command").main()
        return exit_code_of(importlib.import_module(module).main)

    work(command)


def work(command: Callable[[], int]) -> NoReturn:
    """Call it, and end this process, a fork, with the exit code and all else as an interpreter does at its end."""
    code = 99
    try:
        code = command()
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # joblib dismisses its workers
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
