"""What a sweep will take on this machine and elsewhere, from a short timing of each kind of its runs."""

import json
from typing import TYPE_CHECKING, Any

from sweeper.access import LEAST_FREE, free_bytes
from sweeper.devices import parallel_runs
from sweeper.estimate import Cost, ends, epochs_within, kept_bytes
from sweeper.lanes import MOST
from sweeper.limits import cores, joblib_workers
from sweeper.speeds import speeds_of
from sweeper.timings import Probed, Timing, probe

if TYPE_CHECKING:
    from sweeper.compose import Grid
    from sweeper.standing import Standing

HYDRA_SECONDS = 0.3  # of each run: Hydra composes its configuration once more
TABLES = 1.5  # times importing torch: results, summary and page at the sweep's end


def forecast(
    grid: "Grid", runs: list["Standing"], seconds: float, within: float | None, composing: float
) -> dict[str, Any]:
    """Time each kind of run, as many at a time as each launcher would have, and reckon.

    Args:
        runs: at least one of them has epochs left.
        seconds: to spend on timing in all, beside set-up and warm-up.
        within: seconds, for what fits; None doesn't ask.
        composing: seconds that reading the command line took.
    """
    to_do = [run for run in runs if run.left]
    kinds = {kind_of_work(run.cell.config): run.cell.config for run in to_do}
    device = to_do[0].cell.config["device"]
    # As sweeper.train has it: fewer runs than places share all cores among themselves.
    usual = parallel_runs(device["kind"], device["threads"])
    jobs = min(usual if grid.jobs is None else joblib_workers(grid.jobs), len(to_do))
    sides = sorted({1, jobs} if grid.sweep else {1})
    probed: dict[int, Probed] = {}
    for n in sides:
        threads = device["threads"] or max(1, cores() // n)
        each = seconds / len(sides) / len(kinds)
        pack = min(len(to_do), MOST) if grid.sweep and n == 1 else 0
        probed[n] = probe(list(kinds.values()), n, threads, each, pack)
    timings = {n: dict(zip(kinds, found.timings, strict=True)) for n, found in probed.items()}
    alone = timings[1]
    launchers = _launchers(grid, runs, probed, timings, composing, within)
    return {
        "device": probed[1].device,
        "device_line": probed[1].line.removeprefix("device: "),
        "work": [_describe_work(key, kinds, to_do, timings) for key in kinds],
        "within_seconds": within,
        "once_seconds": {what: round(s, 4) for what, s in _once(grid, probed[1], composing).items()},
        "launchers": launchers,
        "not_reckoned": None if any(way["chosen"] for way in launchers) else grid.launcher,
        "disk": _disk(grid, to_do, alone, max(*probed, probed[1].lanes * probed[1].gpus, 1)),
        "elsewhere": _elsewhere(to_do, alone),
    }


def kind_of_work(config: dict[str, Any]) -> str:
    """The same for configurations whose epochs take equally long: lr, other such numbers, and the seed don't matter."""
    optimizer = {key: value for key, value in config["optimizer"].items() if key not in ("lr", "weight_decay")}
    parts = [config["dataset"], config["model"], _without_fractions(optimizer), config["batch_size"], config["device"]]
    return json.dumps([*parts, config["noise"]["kind"] != "none"], sort_keys=True)


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_fractions(item) for item in value]
    return "a fraction" if isinstance(value, float) else value


def _launchers(
    grid: "Grid",
    runs: list["Standing"],
    probed: dict[int, Probed],
    timings: dict[int, dict[str, Timing]],
    composing: float,
    within: float | None,
) -> list[dict[str, Any]]:
    """Each launcher's time from the command to its end, the fastest first.

    On the CPU and on MPS `packed` trains one run at a time, as `basic` does; on a GPU the default does.
    """
    one, jobs = probed[1], max(probed)
    once = _once(grid, one, composing)
    tables = once.pop("tables", 0.0)
    begin = sum(once.values())
    joblib = grid.launcher if grid.launcher in ("local", "joblib") else "local"
    gpus = max(1, one.gpus)
    # Name, runs at a time, places that the runs take in turn, timed so many at a time, gain, seconds beside the runs.
    # Runs that are packed share their GPU, so together they are as one that is faster.
    ways: list[tuple[str, int, int, int, float, float]] = [
        (joblib, jobs, jobs, jobs, 1.0, begin + probed[jobs].start_seconds + probed[jobs].load_seconds + tables),
        ("basic", 1, 1, 1, 1.0, begin + tables),
        ("packed", one.lanes * gpus, gpus, 1, one.gain, begin + tables),
    ]
    if not grid.sweep:
        ways = [("none", 1, 1, 1, 1.0, begin)]
    found = []
    for name, at_a_time, places, timed_at, gain, beside in ways:
        costs = [_cost(run, timings[timed_at][kind_of_work(run.cell.config)], gain) for run in runs if run.left]
        last = [beside + end for end in ends([cost.seconds for cost in costs], places)]
        way = {"launcher": name, "chosen": name == grid.launcher or not grid.sweep, "at_a_time": at_a_time}
        way["seconds"] = max(last)
        if within is not None:
            way["fit"] = sum(end <= within for end in last)
            way["epochs_that_fit"] = epochs_within(costs, places, beside, within)
        found.append(way)
    return sorted(found, key=lambda way: way["seconds"])


def _once(grid: "Grid", probed: Probed, composing: float) -> dict[str, float]:
    """Seconds that are taken once, however many runs there are: by what they are spent on."""
    seconds = {
        "composing": composing,
        "starting": probed.start_seconds,
        "reading": probed.load_seconds,
        "first_of_a_kind": sum(timing.first_seconds for timing in probed.timings),
    }
    return seconds | ({"tables": TABLES * probed.import_seconds} if grid.sweep else {})


def _cost(run: "Standing", timing: Timing, gain: float) -> Cost:
    seconds = timing.train_seconds / gain + timing.other_seconds
    return Cost(run.left, timing.setup_seconds + HYDRA_SECONDS, seconds)


def _describe_work(
    key: str, kinds: dict[str, Any], to_do: list["Standing"], timings: dict[int, dict[str, Timing]]
) -> dict[str, Any]:
    """A kind of run in words and figures; seconds by how many run at a time."""
    config, alone = kinds[key], timings[1][key]
    return {
        **{group: config[group]["name"] for group in ("dataset", "model", "optimizer")},
        "batch_size": config["batch_size"],
        "runs": sum(kind_of_work(run.cell.config) == key for run in to_do),
        "epoch_seconds": {str(n): round(found[key].epoch_seconds, 4) for n, found in timings.items()},
        "setup_seconds": {str(n): round(found[key].setup_seconds, 4) for n, found in timings.items()},
        "images_per_second": {
            str(n): round(found[key].images / found[key].epoch_seconds, 1) for n, found in timings.items()
        },
        "memory_bytes": alone.memory_bytes,
        "part_timed": round(alone.part, 4),
        "data": alone.data,
    }


def _disk(grid: "Grid", to_do: list["Standing"], alone: dict[str, Timing], at_a_time: int) -> dict[str, Any]:
    """What the runs leave in the outputs folder, and what their checkpoints take while they train."""
    kept, checkpoints = [], []
    for run in to_do:
        timing = alone[kind_of_work(run.cell.config)]
        kept.append((run.cell.config["epochs"], timing.weights_bytes if run.cell.config["save_model"] else 0))
        checkpoints.append(timing.checkpoint_bytes)
    free = free_bytes(grid.outputs.expanduser().absolute())
    needed = kept_bytes(kept, page=grid.sweep)
    # A new checkpoint is written beside the old one.
    while_training = 2 * sum(sorted(checkpoints, reverse=True)[: max(1, at_a_time)])
    return {
        "kept_bytes": needed,
        "while_training_bytes": while_training,
        "free_bytes": free,
        "enough": needed + while_training + LEAST_FREE < free,
    }


def _elsewhere(to_do: list["Standing"], alone: dict[str, Timing]) -> list[dict[str, Any]]:
    """The same work by the speeds of `conf/speeds.yaml`, where they are known for all of it."""
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
            "images_per_second": speed.images_per_second,
            "batch_size": speed.batch_size,
            "measured": speed.measured,
            "source": speed.source,
        }
        for speed in speeds_of(model, image)
    ]
