"""A folder of runs in which every check of `sweeper.verify` holds: a search, and a comparison of two optimizers."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from conftest import merged
from made_runs import change_record, make_config, make_rows, make_run, write_finished_run

from sweeper.config.grid import compose_grid

LOADER = "mine.images"  # no published data set, so nothing is compared with this machine's
ACCURACIES = {("sgd", 1): 0.90, ("sgd", 2): 0.91, ("adam", 1): 0.85, ("adam", 2): 0.86}


def make_folder(outputs: Path) -> dict[str, Path]:
    """The directories by `sgd1`, `adam2` and so on; of the search by `tried0.03` and `tried0.1`."""
    found = {}
    for (optimizer, seed), accuracy in ACCURACIES.items():
        found[f"{optimizer}{seed}"] = make_run(
            outputs, optimizer=optimizer, seed=seed, accuracy=accuracy, dataset__loader=LOADER, environment=CODE
        )
    for lr in (0.03, 0.1):
        found[f"tried{lr}"] = make_trial(outputs, lr, 0.7 + lr)
    return found


CODE = {"commit": "0123456789ab", "host": None}


def make_trial(outputs: Path, lr: float, accuracy: float, seed: int = 101, validated: bool = True) -> Path:
    """A run of a search, with validation images unless told otherwise."""
    config: dict[str, Any] = make_config(seed=seed, dataset__loader=LOADER, optimizer__lr=lr)
    rows = make_rows([accuracy - 0.1, accuracy - 0.05, accuracy])
    if validated:
        config["dataset"]["validation_fraction"] = 0.1
        rows = [row | {"val_loss": 1.0, "val_accuracy": row["test_accuracy"] - 0.01} for row in rows]
    run = write_finished_run(outputs, config, rows, CODE)
    if validated:
        change_record(run, result__final_val_accuracy=rows[-1]["val_accuracy"])
    return run


def rewrite(run: Path, **changes: tuple[int, object]) -> None:
    """Change cells of `metrics.csv`: column=(epoch, value); where the record names the file's content, that too."""
    file = run / "metrics.csv"
    header, *rows = [line.split(",") for line in file.read_text().splitlines()]
    for column, (epoch, value) in changes.items():
        rows[epoch - 1][header.index(column)] = str(value)
    file.write_text("".join(",".join(line) + "\n" for line in (header, *rows)))
    rename_content(run)


def write_composed(outputs: Path, words: list[str], accuracies: tuple[float, ...], **environment: Any) -> Path:
    """A finished run, of digits by default, with the configuration that `sweeper.train` composes of `words` today."""
    config = json.loads(_composed(f"epochs={len(accuracies)}", *words))
    return write_finished_run(outputs, config, make_rows(list(accuracies)), CODE | {"threads": 1} | environment)


@functools.cache
def _composed(*words: str) -> str:
    usual = [] if any(word.startswith("dataset=") for word in words) else ["dataset=digits", "model=mlp"]
    (cell,) = compose_grid(merged(*usual, *words)).cells
    return json.dumps(cell.config)


def rename_content(run: Path) -> None:
    """Let the record name the content that `metrics.csv` has now, as who forges both does."""
    content = (run / "metrics.csv").read_bytes()
    change_record(run, files={"metrics.csv": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}})
