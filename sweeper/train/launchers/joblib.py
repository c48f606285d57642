"""`hydra/launcher=local` and `joblib`: train runs in parallel processes on this machine, by hydra-joblib-launcher."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

from sweeper.runs.checks import is_integer
from sweeper.system.errors import BadInput
from sweeper.system.machine import cores, likely_kind
from sweeper.system.text import counted
from sweeper.train.launchers.interface import Launcher, Measured, Options, Turns
from sweeper.train.launchers.kinds import kind_of_work
from sweeper.train.launchers.lane_cache import known_gains
from sweeper.train.launchers.lane_gains import choose_lanes
from sweeper.train.signals import begin_worker
from sweeper.train.threads import runs_at_a_time, share_of_cores

_QUIET_TRACKER = "ignore:resource_tracker:UserWarning"  # as in PYTHONWARNINGS


class Joblib(Launcher):
    name = "local"
    install = "pip install --force-reinstall hydra-joblib-launcher joblib"
    target = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"

    def check(self, options: Options) -> None:
        n_jobs = options.get("n_jobs")
        if n_jobs is not None and (not is_integer(n_jobs) or n_jobs == 0):
            raise BadInput(f"hydra.launcher.n_jobs={n_jobs}: must be the number of parallel runs; -1 is one a core")

    def at_a_time(self, options: Options) -> int:
        return workers(int(options.get("n_jobs") or 1))

    def advice(self, options: Options, configs: list[dict[str, Any]], runs: int) -> str | None:
        kind, places = likely_kind(configs[0]["device"]["kind"]), self.at_a_time(options)
        if kind == "cuda" and places == 1 and len(configs) > 1:
            return _about_packing(configs)
        return _about_cores(configs, places, runs) if kind == "cpu" else None

    def turns(self, measured: Measured) -> Turns:
        return Turns(measured.processes, measured.processes, own_processes=True)

    @contextlib.contextmanager
    def exit_codes(self, codes: dict[int, int]) -> Iterator[None]:
        """Read the exit codes when joblib does: after the first process has ended, before joblib kills the others."""
        from joblib.externals.loky import process_executor

        look = process_executor.get_exitcodes_terminated_worker

        def look_and_note(processes: dict[int, Any]) -> Any:
            told = look(processes)  # waits for the first exit code
            ended = {pid: process.exitcode for pid, process in list(processes.items())}
            codes.update({pid: code for pid, code in ended.items() if code is not None})
            return told

        # Workers end between two launches, when they have nothing to do; one that dies with a run is told by its code.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
        process_executor.get_exitcodes_terminated_worker = look_and_note
        try:
            yield
        finally:
            process_executor.get_exitcodes_terminated_worker = look

    @contextlib.contextmanager
    def bound(self) -> Iterator[None]:
        """Put a backend in the place of joblib's that initializes each new process.

        After a second Ctrl-C joblib's resource tracker, a process too, removes what is left, and doesn't warn of it.
        """
        from joblib.parallel import BACKENDS, LokyBackend, register_parallel_backend

        class Bound(LokyBackend):
            def configure(self, *arguments: Any, **options: Any) -> Any:
                worker = {"initializer": begin_worker, "initargs": (os.getpid(),)}
                return super().configure(*arguments, **{**worker, **options})

        before = BACKENDS["loky"]
        register_parallel_backend("loky", Bound)
        filters = os.environ.get("PYTHONWARNINGS")
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (filters, _QUIET_TRACKER)))
        try:
            yield
        finally:
            register_parallel_backend("loky", before)
            os.environ.pop("PYTHONWARNINGS")
            if filters is not None:
                os.environ["PYTHONWARNINGS"] = filters


def workers(n_jobs: int) -> int:
    """The number of processes that joblib's `n_jobs` means: -1 is one per core, -2 one fewer, and so on."""
    return n_jobs if n_jobs > 0 else max(1, cores() + 1 + n_jobs)


def _about_packing(configs: list[dict[str, Any]]) -> str | None:
    """Advice if `packed` has been measured to be faster for a sweep with these kinds of runs on this GPU; else None."""
    gains = known_gains({kind_of_work(config) for config in configs})
    if gains is None or (lanes := choose_lanes(gains, len(configs))) == 1:
        return None
    faster = f"{lanes} at a time were {gains[lanes]:.2f} times as fast on this GPU"
    return f"one run at a time on this GPU; hydra/launcher=packed trains several at once, and {faster}"


def _about_cores(configs: list[dict[str, Any]], places: int, runs: int) -> str | None:
    """Advice if threads allow fewer parallel runs than `places`, or if cores stay idle; else None."""
    asked = configs[0]["device"]["threads"]
    threads = asked or share_of_cores(places)
    has = f"has {counted(threads, 'thread')}"
    each = f"each run {has}"
    if (fewer := runs_at_a_time(places, threads, "cpu")) < min(places, len(configs)):
        return f"{counted(fewer, 'run')} at a time, not {places}: {each}, cores are {cores()}"
    if asked is None and len(configs) == runs < places and (more := share_of_cores(runs)) > threads:
        which, to = ("the run", "it") if runs == 1 else ("each run", "each")
        return f"{which} {has}, and cores stay idle; hydra.launcher.n_jobs={runs} gives {to} {more}"
    return None
