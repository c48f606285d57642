"""What Hydra calls for each run."""

import contextlib
import io
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sweeper.config.overrides import MOST_RUNS
from sweeper.config.resolved import resolve_config
from sweeper.engine.numerics import threads_to_use
from sweeper.runs.identity import run_name
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import BadInput, RunFailed
from sweeper.system.files import CONF, say_what_failed
from sweeper.system.machine import likely_kind
from sweeper.system.terminal import say
from sweeper.train.deaths import passing_over
from sweeper.train.run import execute_run, run_in_steps
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import RUNS_VARIABLE
from sweeper.train.threads import launcher_workers, new_run_threads, own_cores, runs_at_a_time


def _ask_hydra() -> None:
    """Have Hydra answer what trains nothing; it would show a traceback for a reader that has seen enough."""
    answer = io.StringIO()
    try:
        with contextlib.redirect_stdout(answer):
            _run_hydra()
    finally:
        say(answer.getvalue(), end="")


def _train_by_hydra(leave_alone: Sequence[Path] = ()) -> None:
    """Hand over to Hydra, which shows a traceback for what its launcher couldn't do; we say it in a line.

    Args:
        leave_alone: directories of runs.

    Raises:
        BadInput: there is a record that may not be read, which was found by a search or a worker alone.
        RunFailed: Hydra or its launcher failed outside of any run, e.g. a worker was killed for its memory.
    """
    asked_for_all = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise what it would print
    arguments = list(sys.argv)
    sys.argv += passing_over(leave_alone)
    try:
        _run_hydra()
    except Exception as error:
        if asked_for_all or isinstance(error, (BadInput, RunFailed)):
            raise
        what = say_what_failed(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise RunFailed(f"{what}; HYDRA_FULL_ERROR=1 shows where") from error
    finally:
        sys.argv[:] = arguments
        if not asked_for_all:
            del os.environ["HYDRA_FULL_ERROR"]


def run_one(cfg: DictConfig) -> str:
    """What Hydra calls for each run, in whatever process its launcher chose. Returns the run's status."""
    run, sweep = _what_to_run(cfg), SweepStop.current()
    beside_others = sweep is not None and launcher_workers(HydraConfig.get().launcher) > 1
    with own_cores(run["config"], run["directory"], run["threads"]) if beside_others else contextlib.nullcontext():
        status = execute_run(**run)
    if status == "interrupted" and not (sweep is not None and sweep.requested()):
        StopSignals.installed().requeue()
    return status


def _run_one_in_steps(cfg: DictConfig) -> Generator[Any, None, str]:
    """What the launcher `packed` calls instead: the same as a generator of steps."""
    return run_in_steps(**_what_to_run(cfg))


def _what_to_run(cfg: DictConfig) -> dict[str, Any]:
    hydra_config = HydraConfig.get()
    config = resolve_config(cfg, hydra_config.runtime.choices)
    launcher = hydra_config.launcher if hydra_config.mode == RunMode.MULTIRUN else {}
    places = min(launcher_workers(launcher), int(os.environ.get(RUNS_VARIABLE, MOST_RUNS)))
    directory, kind = Path(config["outputs"]) / run_name(config), likely_kind(config["device"]["kind"])
    threads = new_run_threads(asked := config["device"]["threads"], launcher)
    return {
        "config": config,
        "directory": directory,
        "parallel": runs_at_a_time(places, threads_to_use(asked, threads, directory, kind), kind),
        "threads": threads,
        "in_sweep": hydra_config.mode == RunMode.MULTIRUN,
        "overrides": list(hydra_config.overrides.task),
        "bars": hydra_config.sweeper.get("prune_below"),
    }


run_one.in_steps = _run_one_in_steps  # type: ignore[attr-defined]  # by which `packed` knows a task it can interleave
_run_hydra = hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(run_one)
