"""Run directories as `sweeper.train` leaves them, without training: for tests of what reads them."""

import json
import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeper.config.grid import compose_grid
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.runs.metrics import METRICS

VERSIONS = {"sweeper": "0.1.0", "python": "3.11.7", "torch": "2.8.0"}


def make_config(optimizer: str = "sgd", seed: int = 1, **changes: Any) -> dict[str, Any]:
    """`changes` by dotted name, with `__` for the dot."""
    config: dict[str, Any] = {
        "device": {"name": "auto", "kind": "auto", "precision": "auto"},
        "dataset": {
            "name": "digits",
            "loader": "sweeper.datasets.digits",
            "root": None,
            "workers": None,
            "flip": False,
        },
        "model": {"name": "cnn", "_target_": "sweeper.models.cnn", "width": 16},
        "optimizer": {"name": optimizer, "_target_": f"torch.optim.{optimizer}", "lr": 0.1, "weight_decay": 0.0005},
        "schedule": {"name": "cosine", "warmup_fraction": 0.05},
        "noise": {"name": "none", "kind": "none", "rate": 0.0, "seed": 0},
        "tracking": {"name": "none"},
        "seed": seed,
        "epochs": 3,
        "batch_size": 64,
        "target_accuracy": None,
        "tag": None,
        "outputs": "outputs",
        "rerun": False,
        "record_host": True,
    }
    for name, value in changes.items():
        node, _, key = name.rpartition("__")
        (config[node] if node else config)[key] = value
    return config


def make_rows(accuracies: list[float]) -> list[dict[str, Any]]:
    """Rows of `metrics.csv`, one for each test accuracy."""
    return [
        dict.fromkeys(METRICS)
        | {"epoch": k, "step": 20 * k, "lr": 0.1, "train_loss": 1 / k, "train_accuracy": accuracy}
        | {"test_loss": 1.0, "test_accuracy": accuracy, "train_seconds": 0.5, "images_per_second": 2000.0}
        for k, accuracy in enumerate(accuracies, 1)
    ]


def make_run(
    outputs: Path,
    status: str = "completed",
    accuracy: float = 0.9,
    error: str | None = None,
    environment: dict[str, Any] | None = None,
    **config: Any,
) -> Path:
    """Write a run of three epochs, the second the best by 0.01; returns its directory."""
    resolved = make_config(**config) | {"outputs": str(outputs)}
    rows = make_rows([accuracy - 0.1, accuracy + 0.01, accuracy])
    recorded = {"versions": VERSIONS, "device": "cpu", "precision": "fp32", "data_digest": "d" * 64}
    result = {
        "epochs_done": 3,
        "steps": 60,
        "final_test_accuracy": accuracy if status == "completed" else None,
        "best_test_accuracy": accuracy + 0.01,
        "best_epoch": 2,
        "final_val_accuracy": None,
        "best_val_accuracy": None,
        "final_train_loss": 1 / 3 if status == "completed" else None,
        "steps_to_target": None,
        "train_seconds": 1.5,
        "images_per_second": 2000.0,
        "peak_memory_bytes": 1000,
        "shared_device": False,
    }
    run = RunDirectory(outputs / run_name(resolved))
    in_progress = status == "running"
    run.write_run(status, resolved, recorded | (environment or {}), None if in_progress else result, error)
    run.write_metrics(rows)
    return run.path


def change_record(directory: Path, **changes: Any) -> None:
    """Change values of `run.json` by dotted name, with `__` for the dot."""
    file = directory / "run.json"
    record = json.loads(file.read_text())
    for name, value in changes.items():
        *nodes, key = name.split("__")
        node = record
        for part in nodes:
            node = node[part]
        node[key] = value
    file.write_text(json.dumps(record))


def make_arm(outputs: Path, accuracy: float, seeds: Iterable[int] = (1, 2, 3), **config: Any) -> list[Path]:
    """Runs of one setting; the seeds scatter a little."""
    scatter = {1: 0.0, 2: 0.004, 3: -0.004, 4: 0.002, 5: -0.002}
    of_seed = {seed: accuracy + scatter[seed] * (1 + accuracy) for seed in seeds}
    return [make_run(outputs, seed=seed, accuracy=value, **config) for seed, value in of_seed.items()]


def name_arms(outputs: Path, **arms: list[Path]) -> None:
    """Record a sweep of these arms."""
    record_arms(outputs, AskedRuns([run for runs in arms.values() for run in runs], [arms]))


def name_as_configured(directory: Path) -> Path:
    """Give a run whose record was changed the directory of its configuration, as another machine would have made it."""
    record = json.loads((directory / "run.json").read_text())
    named = directory.parents[1] / run_name(record["config"])
    named.parent.mkdir(parents=True, exist_ok=True)
    return directory.rename(named)


def make_study(
    outputs: Path,
    optimizers: tuple[str, ...] = ("adam", "adamw", "lion", "muon", "sgd"),
    seeds: tuple[int, ...] = (1, 2, 3),
    rates: tuple[float, ...] = (0.0, 0.2),
    epochs: int = 40,
    target: float | None = 0.85,
) -> None:
    """Finished runs whose curves look like real ones: accuracy saturates, and under label noise falls again late."""
    for place, optimizer in enumerate(optimizers):
        for rate in rates:
            for seed in seeds:
                numbers = random.Random(f"{optimizer} {rate} {seed}")
                rows = [_study_row(epoch, epochs, place, rate, numbers) for epoch in range(1, epochs + 1)]
                noise = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0}
                if rate:
                    noise = {"name": "symmetric", "kind": "symmetric", "rate": rate, "seed": 0}
                overrides = [f"optimizer={optimizer}", f"seed={seed}", f"noise={noise['name']}", "dataset=digits"]
                config = make_config(optimizer, seed, epochs=epochs, noise=noise, target_accuracy=target)
                config["optimizer"]["lr"] = (0.001, 0.001, 0.0002, 0.02, 0.1)[place % 5]
                write_finished_run(outputs, config, rows, {"overrides": overrides, "device_name": "Some CPU"})


def write_finished_run(
    outputs: Path, config: dict[str, Any], rows: list[dict[str, Any]], environment: dict[str, Any]
) -> Path:
    """A completed run whose result is what its rows tell."""
    best = max(rows, key=lambda row: row["test_accuracy"])
    target = config["target_accuracy"]
    reached = [row["step"] for row in rows if target is not None and row["test_accuracy"] >= target]
    result = {
        "epochs_done": len(rows),
        "steps": rows[-1]["step"],
        "final_test_accuracy": rows[-1]["test_accuracy"],
        "best_test_accuracy": best["test_accuracy"],
        "best_epoch": best["epoch"],
        "final_train_loss": rows[-1]["train_loss"],
        "steps_to_target": None if target is None else reached[0] if reached else "inf",
        "train_seconds": sum(row["train_seconds"] for row in rows),
        "images_per_second": 2000.0,
        "peak_memory_bytes": 600_000_000,
        "shared_device": False,
    }
    recorded = {"versions": VERSIONS, "device": "cpu", "precision": "fp32", "data_digest": "d" * 64}
    recorded["started"] = "2025-01-31T12:00:00Z"
    run = RunDirectory(outputs / run_name(config))
    run.write_run("completed", config, recorded | environment, result)
    run.write_metrics(rows)
    return run.path


def make_field(outputs: Path, *words: str, data: str = "d" * 64, **environment: Any) -> list[Path]:
    """Finished runs as a command line asks for them; the optimizers' accuracies lie four points apart."""
    made, places = [], dict[str, int]()
    for cell in compose_grid(["-m", *words, f"outputs={outputs}"]).cells:
        place = places.setdefault(cell.config["optimizer"]["name"], len(places))
        accuracy = 0.9 - 0.04 * place + random.Random(f"{place} {cell.config['seed']}").gauss(0, 0.004)
        rows = make_rows([accuracy] * cell.config["epochs"])
        recorded = {"data_digest": data, "overrides": [*words]} | environment
        made.append(write_finished_run(outputs, cell.config, rows, recorded))
    return made


def _study_row(epoch: int, epochs: int, place: int, rate: float, numbers: random.Random) -> dict[str, Any]:
    done = epoch / epochs
    top = 0.93 + 0.006 * place - 0.25 * rate
    overfit = rate * max(0.0, done - 0.5) * (0.6 - 0.25 * (place == 2))
    accuracy = top * (1 - math.exp(-(4 + place) * done * 2)) - overfit + numbers.gauss(0, 0.006)
    learnt = min(1.0, 0.1 + 0.8 * done * (1 - 0.5 * (place == 2)))
    clean = min(0.999, accuracy + 0.03)
    return dict.fromkeys(METRICS) | {
        "epoch": epoch,
        "step": 20 * epoch,
        "lr": 0.05 * (1 + math.cos(math.pi * done)),
        "train_loss": 2.2 * math.exp(-4 * done) + 0.05 + rate + abs(numbers.gauss(0, 0.01)),
        "train_accuracy": clean * (1 - rate) + rate * learnt if rate else clean,
        "clean_train_accuracy": clean if rate else None,
        "corrupted_train_accuracy": learnt if rate else None,
        "test_loss": 2.2 * math.exp(-4 * done) + 0.2 + overfit * 3,
        "test_accuracy": min(1.0, max(0.0, accuracy)),
        "train_seconds": 0.5 + 0.05 * place,
        "images_per_second": 2000.0,
    }
