"""`hydra/launcher=packed`: trains several runs in one process, each with its own Hydra configuration and log."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, env_override, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from sweeper.config.resolved import resolve_once
from sweeper.engine.memory import DeviceLost, NoRoom
from sweeper.runs.checks import is_integer
from sweeper.system.errors import BadInput
from sweeper.system.files import make_folder
from sweeper.system.terminal import tell
from sweeper.train.launchers.gpu_processes import on_each_gpu, visible_gpus
from sweeper.train.launchers.interface import Launcher, Measured, Options, Turns
from sweeper.train.launchers.kinds import kind_of_work, runs_to_read
from sweeper.train.launchers.lane_cache import keep_gains, known_gains
from sweeper.train.launchers.lane_gains import choose_lanes, covers
from sweeper.train.launchers.lane_trial import Trial, describe
from sweeper.train.launchers.lanes import Host, Lanes, Steps
from sweeper.train.launchers.run_list import RunList, Shared


class Packed(Launcher):
    """Trains several runs in turn, in one process for each GPU."""

    name = "packed"
    target = "hydra_plugins.sweeper_packed_launcher.PackedLauncher"

    def check(self, options: Options) -> None:
        lanes = options.get("lanes", "auto")
        if lanes != "auto" and (not is_integer(lanes) or lanes < 1):
            must = "must be auto, or the number of runs at a time on a GPU, from 1"
            raise BadInput(f"hydra.launcher.lanes={lanes}: {must}")

    def turns(self, measured: Measured) -> Turns:
        gpus = max(1, measured.gpus)
        return Turns(measured.lanes * gpus, gpus, measured.gain)


class PackedLauncher(Protocol):
    """The attributes of Hydra's launcher class that are used here."""

    config: DictConfig | None
    hydra_context: HydraContext | None
    task_function: TaskFunction | None
    lanes: int | str


def launch(launcher: PackedLauncher, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    """Carry out the runs in this process, or with several GPUs in one process for each.

    Raises:
        DeviceLost: a GPU no longer responds. Other GPUs have finished their runs before it is raised.
    """
    setup_globals()
    assert launcher.config is not None
    hydra = launcher.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    make_folder(Path(str(hydra.sweep.dir)))
    kind = _device_kind(launcher, job_overrides[0])
    if kind != "cuda" and launcher.lanes not in ("auto", 1):
        tell(f"hydra.launcher.lanes={launcher.lanes}: on {kind.upper()} it is 1")
    gpus = visible_gpus(kind)[: len(job_overrides)]
    work = partial(advance_in_lanes, launcher, job_overrides, initial_job_idx, kind, max(1, len(gpus)))
    if len(gpus) > 1:
        outcomes = on_each_gpu(gpus, work, len(job_overrides))
    else:
        outcomes = work(RunList(len(job_overrides), Shared.alone()))
    configure_log(hydra.hydra_logging, hydra.verbose)
    returns = [outcomes[k] for k in range(len(job_overrides))]
    for outcome in returns:
        if isinstance(outcome, Exception):  # Hydra couldn't start that run
            raise outcome
    return [outcome for outcome in returns if isinstance(outcome, JobReturn)]


def advance_in_lanes(
    launcher: PackedLauncher,
    job_overrides: Sequence[Sequence[str]],
    initial_job_idx: int,
    kind: str,
    gpus: int,
    runs: RunList,
) -> dict[int, JobReturn | Exception]:
    """Carry out runs of the list on this process's device of `kind`, several at a time if the device allows it.

    Args:
        gpus: how many processes take runs from the list.
    """
    from sweeper.train.launchers.cuda_lane import Cuda

    def begin(k: int) -> Steps[JobReturn]:
        return runs.until_its_end(k, _run_in_steps(launcher, job_overrides[k], initial_job_idx + k))

    starts = (None if k is None else (k, partial(begin, k)) for k in runs)
    device: Host = Cuda() if kind == "cuda" else Host()
    if launcher.lanes != "auto" or not device.several:
        return Lanes(starts, device, 1 if launcher.lanes == "auto" else int(launcher.lanes)).run()
    wanted = getattr(launcher.task_function, "numbers", None)  # of the runs that aren't finished
    to_do = [k for k in range(len(job_overrides)) if wanted is None or initial_job_idx + k in wanted]
    kinds = {k: _kind(launcher, job_overrides[k]) for k in runs_to_read(to_do)}
    return Lanes(starts, device, find_lanes(math.ceil(len(to_do) / gpus), kinds)).run()


def find_lanes(runs: int, kinds: Mapping[int, str]) -> "int | Trial":
    """The best number of lanes for so many runs if it is known for their kinds; else what finds it out."""
    gains = known_gains(kinds.values())
    if gains is None or not covers(gains, runs):
        return Trial(runs, kinds, partial(keep_gains, kinds.values()))
    best = choose_lanes(gains, runs)
    tell(f"lanes=auto: {describe(gains, best)}, as measured before")
    return best


def _kind(launcher: PackedLauncher, overrides: Sequence[str]) -> str:
    """The kind of this run."""
    config = _configure(launcher, overrides, 0)
    return kind_of_work(resolve_once(config, config.hydra.runtime.choices))


def _device_kind(launcher: PackedLauncher, overrides: Sequence[str]) -> str:
    """The kind of device, cuda, mps or cpu; it is the same for all runs."""
    from sweeper.engine.devices import best_kind

    return best_kind(str(OmegaConf.select(_configure(launcher, overrides, 0), "device.kind", default="auto")))


def _configure(launcher: PackedLauncher, overrides: Sequence[str], number: int) -> DictConfig:
    assert launcher.hydra_context is not None and launcher.config is not None
    config = launcher.hydra_context.config_loader.load_sweep_config(launcher.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    return config


def _run_in_steps(launcher: PackedLauncher, overrides: Sequence[str], number: int) -> Steps[JobReturn]:
    """Carry out one run by Hydra's `run_job`, as a generator of steps."""
    assert launcher.hydra_context is not None
    # `_OfStart` has the methods of Hydra's callbacks that `run_job` calls, but another class.
    context = replace(launcher.hydra_context, callbacks=_OfStart(launcher.hydra_context.callbacks))  # type: ignore[arg-type]
    config = _configure(launcher, overrides, number)
    job = run_job(
        task_function=launcher.task_function.in_steps,  # type: ignore[union-attr]  # the plugin's `launch` has checked it
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )
    if job.status == JobStatus.COMPLETED:  # the task has returned its steps, which begin now
        surroundings = _Surroundings(config)
        try:
            job.return_value = yield from _within(surroundings, job.return_value)
        except (DeviceLost, NoRoom):
            raise
        except Exception as error:
            job.return_value, job.status = error, JobStatus.FAILED
        finally:
            surroundings.close()
    launcher.hydra_context.callbacks.on_job_end(config=config, job_return=job)
    return job


class _OfStart:
    """Hydra's callbacks without `on_job_end`: `run_job` would call it before the run's first step."""

    def __init__(self, callbacks: Any) -> None:
        self.on_job_start = callbacks.on_job_start

    def on_job_end(self, **kwargs: Any) -> None: ...


class _Surroundings:
    """Context for a run's turns: restores the configuration, log handlers and environment that Hydra set for it."""

    def __init__(self, config: DictConfig) -> None:
        """Create it right after Hydra has set them."""
        self._config = config
        self._before: Any = None
        names = (config.hydra.job_logging or {}).get("loggers") or {}
        loggers = [logging.getLogger(), *(logging.getLogger(str(name)) for name in names)]
        self._handlers = {logger: list(logger.handlers) for logger in loggers}
        self._environment = dict(config.hydra.job.env_set)

    def __enter__(self) -> None:
        self._before = HydraConfig.instance().cfg
        HydraConfig.instance().cfg = self._config  # type: ignore[assignment]  # as Hydra itself sets it
        for logger, handlers in self._handlers.items():
            logger.handlers[:] = handlers
        self._override = env_override(self._environment)
        self._override.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._override.__exit__(None, None, None)
        HydraConfig.instance().cfg = self._before

    def close(self) -> None:
        for handlers in self._handlers.values():
            for handler in handlers:
                handler.close()


def _within(surroundings: _Surroundings, steps: Steps[Any]) -> Steps[Any]:
    """Run each of `steps` within `surroundings`."""
    try:
        while True:
            with surroundings:
                try:
                    turn = next(steps)
                except StopIteration as end:
                    return end.value
            yield turn
    finally:
        with surroundings:
            steps.close()
