"""Forecasts a sweep on this machine and others from a short timing of each kind of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.config.grid import Grid
from sweeper.config.schema import RECIPE
from sweeper.plan.estimate import Cost, ends, epochs_within, kept_bytes
from sweeper.plan.probe import Probed
from sweeper.plan.sides import Side, Timed, time_kinds
from sweeper.plan.speeds import speeds_of
from sweeper.plan.standing import Standing
from sweeper.plan.timing import Timing
from sweeper.runs.access import LEAST_FREE, free_bytes
from sweeper.runs.metrics import per_second
from sweeper.system.machine import likely_kind, parallel_runs
from sweeper.train.energy import JOULES
from sweeper.train.launchers.interface import Measured, Turns
from sweeper.train.launchers.kinds import kind_of_work
from sweeper.train.launchers.registry import DEFAULT, LAUNCHERS, find_launcher
from sweeper.train.threads import runs_at_a_time, share_of_cores

HYDRA_SECONDS = 0.3  # per run, in which Hydra composes its configuration again
TABLES = 1.5  # the time of the tables and the page at the sweep's end, in units of the time to import torch


@dataclass(frozen=True)
class Pace:
    """How fast a launcher trains: the timings by kind of work, and the seconds of a sweep beside its runs."""

    timings: dict[str, Timing]
    turns: Turns
    beside: float

    def cost(self, config: dict[str, Any], left: int) -> Cost:
        timing = self.timings[kind_of_work(config)]
        seconds = timing.train_seconds / self.turns.gain + timing.other_seconds
        return Cost(left, timing.setup_seconds + HYDRA_SECONDS, seconds)

    def kwh(self, runs: Sequence[Standing], seconds: float) -> float | None:
        """The energy of so many seconds of a device at the power with which these runs were timed alone; None if that
        isn't known."""
        timed = [(self.timings[kind_of_work(run.cell.config)], run) for run in runs if run.left]
        if any(timing.watts is None for timing, _ in timed):
            return None
        weights = [self.cost(run.cell.config, run.left).seconds for _, run in timed]
        joules = sum(w * (timing.watts or 0.0) for w, (timing, _) in zip(weights, timed, strict=True))
        return joules / sum(weights) * seconds / JOULES

    def ends(self, costs: Sequence[Cost]) -> list[float]:
        """When each run ends, from the command on."""
        return [self.beside + end for end in ends([cost.seconds for cost in costs], self.turns.places)]

    def of_seeds(self, configs: list[dict[str, Any]], seeds: int) -> float | None:
        """The seconds of a sweep of so many seeds of each of these; None if one of them wasn't timed."""
        if any(kind_of_work(config) not in self.timings for config in configs):
            return None
        return max(self.ends([self.cost(config, config["epochs"]) for config in configs for _ in range(seeds)]))


def forecast(
    grid: Grid, runs: list[Standing], seconds: float, within: float | None, composing: float
) -> tuple[dict[str, Any], Pace]:
    """Time each kind of run, with as many at a time as each launcher would run, and compute the sweep's duration.

    Returns:
        The document's part, and the pace of the fastest launcher.

    Args:
        runs: at least one of them has epochs left.
        seconds: the total time for timing, besides set-up and warm-up.
        within: the seconds for which to find out what fits; None to leave this out.
        composing: the seconds that reading the command line took.
    """
    to_do = [run for run in runs if run.left]
    runs_of: dict[str, list[Standing]] = {}
    for run in to_do:
        runs_of.setdefault(kind_of_work(run.cell.config), []).append(run)
    kinds = {key: own[-1].cell.config for key, own in runs_of.items()}
    device = to_do[0].cell.config["device"]
    kind = likely_kind(device["kind"])
    chosen, options = find_launcher(grid.launcher_options), grid.launcher_options
    places = chosen.at_a_time(options) if chosen is DEFAULT else parallel_runs(kind, device["threads"])
    share = device["threads"] or share_of_cores(places)
    one = Side(1, device["threads"] or share_of_cores(1))
    joint = Side(min(runs_at_a_time(places, share, kind), len(to_do)), share) if grid.sweep else one
    epochs = {key: sum(run.left for run in own) for key, own in runs_of.items()}
    pack = len(to_do) if grid.sweep else 0
    timed = time_kinds(kinds, epochs, one, joint, seconds, pack, bounded=kind != "cuda")
    alone, lone = timed.timings[one], timed.probed[one]
    paces = _paces(grid, one, joint, timed, composing)
    launchers = _launchers(grid, runs, paces, within)
    return {
        "device": lone.device,
        "device_line": lone.line.removeprefix("device: "),
        "work": [_describe_work(grid, key, own, timed, one) for key, own in runs_of.items()],
        "within_seconds": within,
        "once_seconds": {what: round(s, 4) for what, s in _once(grid, lone, composing).items()},
        "launchers": launchers,
        "not_reckoned": None if any(way["chosen"] for way in launchers) else grid.launcher,
        "disk": _disk(grid, to_do, alone, max(joint.at_a_time, lone.lanes * lone.gpus, 1)),
        "elsewhere": _elsewhere(to_do, alone),
    }, paces[launchers[0]["launcher"]]


def _paces(grid: Grid, one: Side, joint: Side, timed: Timed, composing: float) -> dict[str, Pace]:
    probed = timed.probed[one]
    once = _once(grid, probed, composing)
    tables = once.pop("tables", 0.0)
    begin = sum(once.values())
    paces = {}
    for name, turns in _turns(grid, Measured(joint.at_a_time, probed.gpus, probed.lanes, probed.gain)).items():
        side, beside = one, begin + tables
        if turns.own_processes:
            side = joint
            beside += timed.probed[joint].start_seconds + timed.probed[joint].load_seconds
        paces[name] = Pace(timed.timings[side], turns, beside)
    return paces


def _launchers(grid: Grid, runs: list[Standing], paces: dict[str, Pace], within: float | None) -> list[dict[str, Any]]:
    """Each launcher's time from the command to its end, the fastest first."""
    found = []
    for name, pace in paces.items():
        costs = [pace.cost(run.cell.config, run.left) for run in runs if run.left]
        last = pace.ends(costs)
        way: dict[str, Any] = {"launcher": name, "chosen": name == grid.launcher or not grid.sweep}
        way["at_a_time"] = pace.turns.at_a_time
        way["seconds"] = max(last)
        devices = 1 if pace.turns.own_processes else pace.turns.places  # processes of a launcher share one
        kwh, price = pace.kwh(runs, devices * way["seconds"]), grid.cells[0].config["price_per_hour"]
        way |= {} if kwh is None else {"kwh": round(kwh, 6)}
        way |= {} if price is None else {"cost": round(price * devices * way["seconds"] / 3600, 4)}
        if within is not None:
            way["fit"] = sum(end <= within for end in last)
            way["epochs_that_fit"] = epochs_within(costs, pace.turns.places, pace.beside, within)
        found.append(way)
    return sorted(found, key=lambda way: way["seconds"])


def _turns(grid: Grid, measured: Measured) -> dict[str, Turns]:
    """How runs take turns, by each launcher of which that is known; the chosen one under the name it was chosen by."""
    if not grid.sweep:
        return {"none": Turns()}
    chosen = find_launcher(grid.launcher_options)
    known = dict.fromkeys([*LAUNCHERS.values(), chosen])
    found = {grid.launcher if one is chosen else one.name: one.turns(measured) for one in known}
    return {name: turns for name, turns in found.items() if turns is not None}


def _once(grid: Grid, probed: Probed, composing: float) -> dict[str, float]:
    """Seconds that are spent once, however many runs there are, by purpose."""
    seconds = {
        "composing": composing,
        "starting": probed.start_seconds,
        "reading": probed.load_seconds,
        "first_of_a_kind": sum(timing.first_seconds for timing in probed.timings if timing is not None),
    }
    return seconds | ({"tables": TABLES * probed.import_seconds} if grid.sweep else {})


def _arms(grid: Grid, runs: list[Standing]) -> str:
    """The names of the arms that these runs are in."""
    directories = {run.cell.directory for run in runs}
    return ", ".join(arm for arm, own in grid.arms.items() if directories.intersection(own))


def _describe_work(grid: Grid, key: str, runs: list[Standing], timed: Timed, one: Side) -> dict[str, Any]:
    """A kind of run in words and figures, with seconds by the number of runs at a time."""
    config, alone = runs[-1].cell.config, timed.timings[one][key]
    by_number = {str(side.at_a_time): found[key] for side, found in timed.timings.items()}
    by_number["1"] = alone
    return {
        **{group: config[group]["name"] for group in ("dataset", "model", "optimizer")},
        "batch_size": config["batch_size"],
        **{name: config[name] is not None for name in RECIPE},
        "runs": len(runs),
        "epoch_seconds": {n: round(timing.epoch_seconds, 4) for n, timing in by_number.items()},
        "setup_seconds": {n: round(timing.setup_seconds, 4) for n, timing in by_number.items()},
        "images_per_second": {n: per_second(timing.images, timing.epoch_seconds) for n, timing in by_number.items()},
        "memory_bytes": alone.memory_bytes,
        "part_timed": round(alone.part, 4),
        "data": alone.data,
        "implausible": key in timed.implausible,
        "estimated": [str(side.at_a_time) for side, found in timed.estimated.items() if key in found],
        "arms": _arms(grid, runs),
    }


def _disk(grid: Grid, to_do: list[Standing], alone: dict[str, Timing], at_a_time: int) -> dict[str, Any]:
    """The bytes that the runs leave in the outputs folder, and those of their checkpoints while they train."""
    kept, checkpoints = [], []
    for run in to_do:
        timing = alone[kind_of_work(run.cell.config)]
        kept.append((run.cell.config["epochs"], timing.weights_bytes if run.cell.config["save_model"] else 0))
        checkpoints.append(timing.checkpoint_bytes)
    free = free_bytes(grid.outputs.absolute())
    needed = kept_bytes(kept, page=grid.sweep)
    # A new checkpoint is written beside the old one.
    while_training = 2 * sum(sorted(checkpoints, reverse=True)[: max(1, at_a_time)])
    return {
        "kept_bytes": needed,
        "while_training_bytes": while_training,
        "free_bytes": free,
        "enough": needed + while_training + LEAST_FREE < free,
    }


def _elsewhere(to_do: list[Standing], alone: dict[str, Timing]) -> list[dict[str, Any]]:
    """The same work on the devices of `conf/speeds.yaml` that have a speed for all of it."""
    work: dict[tuple[str, tuple[int, ...]], list[tuple[str, int]]] = {}
    for run in to_do:
        timing, config = alone[kind_of_work(run.cell.config)], run.cell.config
        images = timing.images * run.left
        key = config["model"]["name"], tuple(timing.image)
        work.setdefault(key, []).append((config["optimizer"]["name"], images))
    if len(work) != 1:
        return []
    ((model, image), runs) = next(iter(work.items()))
    return [
        {
            "device": speed.device,
            "seconds": speed.seconds(runs),
            "start_seconds": speed.start_seconds,
            "images_per_second": speed.images_per_second,
            "batch_size": speed.batch_size,
            "source": speed.source,
        }
        for speed in speeds_of(model, image)
    ]
