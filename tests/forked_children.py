"""The commands of the package that a command starts, such as the sweeps of a decision, as forks of that command.

Such a process imports for three to five seconds. As a fork of a command that is a fork itself, by `forked.start`, it
has these modules. All else is as a user has it: it is a child with arguments, environment, streams, session, signals
and an exit code of its own, and begins by its `__main__`.
"""

import atexit
import importlib
import multiprocessing.process
import multiprocessing.util
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forked import run_forked, work
from joblib.externals.loky import process_executor

# As a `patch` of `forked`. Images are read by a fork too, where the command would start Python for it.
CHILDREN_FORKED = """
import multiprocessing, subprocess, types
from forked_children import Child
from sweeper.datasets import here
subprocess.Popen = Child
here.multiprocessing = types.SimpleNamespace(get_context=lambda method: multiprocessing.get_context("fork"))
"""

# As a `patch`: records name no commit, so it doesn't matter whether this clone has uncommitted changes.
NO_COMMIT = """
from sweeper.train import record
record._commit = lambda: None
"""


class Child(subprocess.Popen):
    """A process as `subprocess` has it; if it is to run a module of the package, a fork that executes no Python."""

    def __init__(self, args: Any, *, env: Mapping[str, str] | None = None, **options: Any) -> None:
        if isinstance(args, list) and args[:2] == [sys.executable, "-m"] and args[2].startswith("sweeper."):
            sys.stdout.flush()
            sys.stderr.flush()
            # Called in the child when its streams and its session are its own, just before it would execute Python.
            options["preexec_fn"] = lambda: work(lambda: _command(args[2:], env))
        super().__init__(args, env=env, **options)


def _command(words: list[str], environment: Mapping[str, str] | None) -> int:
    """Carry out a command in this process, which has been forked for it. Returns its exit code."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # as at an execution; the parent waits until a pipe of these is closed
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python has it
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # What the parent ends and removes at its own end is none of this process's.
    multiprocessing.process._children.clear()
    multiprocessing.util._finalizer_registry.clear()
    process_executor._threads_wakeups.clear()
    weakref.finalize._registry.clear()
    weakref.finalize._registered_with_atexit = False
    atexit._clear()
    atexit.register(multiprocessing.util._exit_function)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = open(number, mode, closefd=False, encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    name = words[0] if words[0].count(".") > 1 else f"{words[0]}.__main__"
    module = importlib.import_module(name)
    sys.argv = [str(module.__file__), *words[1:]]
    return module.main()


def run_all_forked(
    module: str, *arguments: object, cwd: Path, patch: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same as `conftest.run_module`, by forks: for what is about no process's start."""
    return run_forked(module, *arguments, cwd=cwd, patch=CHILDREN_FORKED + patch, **environment)
