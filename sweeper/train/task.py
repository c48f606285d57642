"""Calls Hydra with a command line, and defines the task that Hydra calls for each run."""

import argparse
import contextlib
import copy
import io
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import _run_hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sweeper.config.arms import take_files
from sweeper.config.command_line import parser
from sweeper.config.hydra_versions import behave_as_usual, mode_by_flag, only_ours
from sweeper.config.named_optimizer import default_words, is_named
from sweeper.config.overrides import MOST_RUNS
from sweeper.config.resolved import resolve_once
from sweeper.engine.numerics import threads_to_use
from sweeper.runs.identity import run_name
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.command import called
from sweeper.system.errors import BadInput, RunFailed, named
from sweeper.system.files import CONF, say_what_failed
from sweeper.system.machine import likely_kind
from sweeper.system.module_path import look_as_the_command_does
from sweeper.system.terminal import say
from sweeper.train.assignment import Assignment
from sweeper.train.deaths import passing_over
from sweeper.train.label import label_run
from sweeper.train.launchers.interface import Launcher
from sweeper.train.launchers.registry import find_launcher
from sweeper.train.run import execute_run, run_in_steps
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import RUNS_VARIABLE
from sweeper.train.threads import own_cores, runs_at_a_time

# A Hydra launcher's method `launch`: (overrides of each run, number of the first run) -> each run's return value.
Launch = Callable[..., Sequence[Any]]


class Task:
    """The function that Hydra calls for each run, in a process that the launcher chooses.

    Hydra builds its sweeper and launcher itself and passes them the task, so the task has attributes for what they
    must know about the sweep. A copy in another process has none of these.

    Args:
        jobs: the overrides of each run of a sweep, which `hydra/sweeper=listed` launches.
        numbers: the numbers of the unfinished runs, so that a launcher with a queue needn't queue the others.
        search: a function that carries out a search by the launcher's method `launch`.
    """

    def __init__(
        self,
        jobs: Sequence[list[str]] | None = None,
        numbers: set[int] | None = None,
        search: Callable[[Launch], list[Sequence[Any]]] | None = None,
    ) -> None:
        self.jobs, self.numbers, self.search = jobs, numbers, search
        self.failure: Exception | None = None  # of a single run; Hydra would print a line of its own before ours

    def __reduce__(self) -> tuple[type["Task"], tuple[()]]:
        return Task, ()

    def __call__(self, cfg: DictConfig) -> Status:
        """Carry out the run and return its status."""
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return self._carry_out(cfg)
        try:
            return self._carry_out(cfg)
        except Exception as error:
            self.failure = error
            return Status.FAILED

    def _carry_out(self, cfg: DictConfig) -> Status:
        run, sweep = _what_to_run(cfg), SweepStop.current()
        beside_others = sweep is not None and _launcher().at_a_time(HydraConfig.get().launcher) > 1
        with own_cores(run.config, run.directory, run.threads) if beside_others else contextlib.nullcontext():
            status = execute_run(run)
        if status is Status.INTERRUPTED and not (sweep is not None and sweep.requested()):
            StopSignals.installed().requeue()
        return status

    def in_steps(self, cfg: DictConfig) -> Generator[Any, None, Status]:
        """The run as a generator of steps, which the launcher `packed` calls instead."""
        return run_in_steps(_what_to_run(cfg))


def ask_hydra(arguments: argparse.Namespace) -> None:
    """Let Hydra print help, completion or a configuration, buffered: Hydra would show a traceback for a closed pipe."""
    answer = io.StringIO()
    try:
        with contextlib.redirect_stdout(answer):
            _hand_to_hydra(arguments, Task())
    finally:
        text = answer.getvalue()
        if arguments.help:
            text = text.replace("python -m sweeper.train", called("train"))
        say(text, end="")


def show_configuration(arguments: argparse.Namespace) -> None:
    """Let Hydra print a configuration, that of `optimizer=any` with the values that its class gives."""
    if arguments.cfg == "hydra":
        return ask_hydra(arguments)
    asked = copy.copy(arguments)
    asked.cfg, asked.info, asked.package, asked.resolve = "job", None, None, False
    composed = io.StringIO()
    with contextlib.redirect_stdout(composed):
        _hand_to_hydra(asked, Task())
    optimizer = OmegaConf.to_container(OmegaConf.create(composed.getvalue()).optimizer, resolve=True)
    asked = copy.copy(arguments)
    if isinstance(optimizer, dict) and is_named(optimizer):
        asked.overrides = [*asked.overrides, *default_words(optimizer)]
    return ask_hydra(asked)


def train_by_hydra(asked: argparse.Namespace, task: Task, leave_alone: Sequence[Path] = ()) -> None:
    """Train by Hydra, and report a launcher's error in one line instead of Hydra's traceback.

    Args:
        asked: the result of `read_command_line`.
        leave_alone: directories of runs to skip.

    Raises:
        BadInput: a search or a worker found a record that may not be read.
        RunFailed: Hydra or its launcher failed outside of any run, e.g. since a worker was killed for lack of memory.
    """
    asked_for_all = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    arguments = copy.copy(asked)
    arguments.overrides = [*asked.overrides, *passing_over(leave_alone)]
    arguments.multirun |= task.jobs is not None or task.search is not None  # 1.4 takes no mode from a preset
    if task.jobs is not None:
        arguments.overrides = [o for o in take_files(arguments.overrides)[1] if not o.startswith("hydra/sweeper=")]
        arguments.overrides.append("hydra/sweeper=listed")
    try:
        _hand_to_hydra(arguments, task)
        if task.failure is not None:
            raise task.failure
    except Exception as error:
        if asked_for_all or isinstance(error, (BadInput, RunFailed)):
            raise
        what = say_what_failed(error) if isinstance(error, OSError) else named(error)
        raise RunFailed(f"{what}; HYDRA_FULL_ERROR=1 shows where") from error
    finally:
        if not asked_for_all:
            del os.environ["HYDRA_FULL_ERROR"]


def _hand_to_hydra(arguments: argparse.Namespace, task: Task) -> None:
    """Do what `hydra.main` does, with given arguments."""
    behave_as_usual()
    with only_ours(), mode_by_flag():
        _run_hydra(arguments, parser(), task, config_path=str(CONF), config_name="config")


def _launcher() -> Launcher:
    """The launcher of the run that Hydra has configured; a plain `Launcher` for a single run."""
    hydra_config = HydraConfig.get()
    return find_launcher(hydra_config.launcher) if hydra_config.mode == RunMode.MULTIRUN else Launcher()


def _what_to_run(cfg: DictConfig) -> Assignment:
    look_as_the_command_does()
    hydra_config, launcher = HydraConfig.get(), _launcher()
    config = resolve_once(cfg, hydra_config.runtime.choices)
    places = min(launcher.at_a_time(hydra_config.launcher), int(os.environ.get(RUNS_VARIABLE, MOST_RUNS)))
    directory, kind = Path(config["outputs"]) / run_name(config), likely_kind(config["device"]["kind"])
    asked = config["device"]["threads"]
    threads = launcher.threads(hydra_config.launcher) if asked is None else asked
    return Assignment(
        config=config,
        directory=directory,
        parallel=runs_at_a_time(places, threads_to_use(asked, threads, directory, kind), kind),
        threads=threads,
        overrides=list(hydra_config.overrides.task),
        bars=hydra_config.sweeper.get("prune_below"),
        label=label_run(config, hydra_config.overrides.task) if hydra_config.mode == RunMode.MULTIRUN else "",
        in_sweep=hydra_config.mode == RunMode.MULTIRUN,
    )
