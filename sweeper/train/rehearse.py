"""Builds and checks a run's device, data, model, optimizer and schedule before it starts."""

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sweeper.config.arms import NO_ARM, Arm, naming
from sweeper.config.targets import check_targets
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.runs.access import make_outputs
from sweeper.system.machine import cores, likely_kind
from sweeper.system.terminal import tell
from sweeper.train.cautions import about_cpu, about_images


def rehearse(configs: list[dict[str, Any]], elsewhere: bool = False, arms: Sequence[Arm] = ()) -> None:
    """Detect errors of any of these runs before the first one starts.

    Data are downloaded here once, before parallel runs could all do it at the same time.

    Args:
        elsewhere: the runs train on other machines, so this one's devices don't matter.
        arms: of each run, if it has one; an error about what an arm sets names it.

    Raises:
        BadInput: the outputs folder can't be written, the device isn't available, or a data set, model, optimizer or
            schedule can't be built.
    """
    prepare_process(configs[0]["device"]["threads"] or cores())
    for options in [] if elsewhere else _distinct(configs, "device"):
        choose_device(options, threads=1)
    from sweeper.train.process_state import ProcessState

    state = ProcessState()
    with state:
        _build_once(configs, arms or [NO_ARM] * len(configs), elsewhere)
    state.close()
    from sweeper.train.trackers.tracking import prepare_tracking

    for outputs in {config["outputs"] for config in configs}:  # last, so that an error above leaves no folder behind
        make_outputs(Path(outputs))
        for options in _distinct(configs, "tracking"):
            prepare_tracking(options, Path(outputs).resolve())


def _build_once(configs: list[dict[str, Any]], arms: Sequence[Arm], elsewhere: bool) -> None:
    """Build each data set, model, optimizer, schedule and tracker; any of them may be a user's code.

    Each kind of model and of optimizer also takes a few steps; see `sweeper.engine.rehearsal`.
    """
    from sweeper.engine.averaging import build_ema
    from sweeper.engine.build import build_model, build_optimizer, build_schedule
    from sweeper.engine.rehearsal import Rehearsal
    from sweeper.engine.training import batch_sizes
    from sweeper.train.trackers.tracking import check_tracking

    for options in _distinct(configs, "tracking"):
        check_tracking(options)
    rehearsals = {resumable: Rehearsal(warn=not resumable) for resumable in (True, False)}
    seen, told = set[str](), set[str]()
    models: dict[str, Any] = {}

    def tell_once(lines: Iterable[str]) -> None:
        for line in lines:
            if line not in told:
                told.add(line)
                tell(line)

    def build_one(config: dict[str, Any]) -> None:
        nonlocal models
        parts = [config[key] for key in ("dataset", "noise", "model", "batch_size", "drop_last", "resumable")]
        whole = [*parts, *(config[key] for key in ("optimizer", "schedule", "ema"))]
        if (key := json.dumps(whole, sort_keys=True)) in seen:
            return
        seen.add(key)
        data, rehearsal = load_run_data(config), rehearsals[config["resumable"]]
        sizes = batch_sizes(len(data.train.labels), config["batch_size"], bool(config["drop_last"]))
        judged = {"test": data.test} | ({} if data.val is None else {"validation": data.val})
        counts = {split: len(images.labels) for split, images in judged.items()}
        tell_once([f"dataset={config['dataset']['name']}: {data.files}"] if data.files else [])
        tell_once(about_images(config, len(data.train.labels), len(sizes), counts))
        build_again = partial(build_model, config["model"], data.image_shape, len(data.classes), seed=0)
        if (model_key := json.dumps(parts, sort_keys=True)) not in models:
            models = {model_key: rehearsal.model(config["model"], build_again, data.image_shape, sizes)}
        model = models[model_key]
        if not elsewhere and likely_kind(config["device"]["kind"]) == "cpu":
            parameters = sum(parameter.numel() for parameter in model.parameters())
            tell_once(about_cpu(config, len(data.train.labels), parameters))

        def build(model: Any) -> Any:
            optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
            return optimizer, build_schedule(config["schedule"], optimizer, total_steps=100)

        build_ema(config["ema"], model, build(model)[0])
        kind = json.dumps([model_key, _without_values(config["optimizer"]), _without_values(config["schedule"])])
        if kind not in seen:
            seen.add(kind)
            rehearsal.optimizer(config["optimizer"], model, build, data.image_shape, sizes[0])

    for work in (check_targets, build_one):  # packages before data, which may be downloaded
        for config, arm in zip(configs, arms, strict=True):
            with naming(arm, by_group=True):
                work(config)


def _without_values(node: Any) -> Any:
    """A node in which all positive fractions are alike: of many learning rates one is rehearsed."""
    if isinstance(node, dict):
        return {key: _without_values(value) for key, value in sorted(node.items())}
    if isinstance(node, list):
        return [_without_values(value) for value in node]
    return 0.5 if isinstance(node, float) and node > 0 else node


def _distinct(configs: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in sorted({json.dumps(config[key], sort_keys=True) for config in configs})]
