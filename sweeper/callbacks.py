"""What Hydra calls at a sweep's end."""

import subprocess
import sys
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class UpdateTables(Callback):
    """Bring `results.csv` and `summary.csv` up to date, finished sweep or interrupted one."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        update_tables(config.outputs)


def update_tables(outputs: str) -> None:
    """Aggregate in a process of its own: pandas stays out of the one that trains."""
    subprocess.run([sys.executable, "-m", "sweeper.aggregate", outputs], check=False)
