"""Run directories as `sweeper.train` leaves them, without training: for tests of what reads them."""

import json
from pathlib import Path
from typing import Any

from sweeper.identity import run_name
from sweeper.runs import METRICS, RunDirectory

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
