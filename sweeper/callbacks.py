"""What Hydra calls at a sweep's end."""

import subprocess
import sys
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sweeper.sweep_show import end_show


class UpdateTables(Callback):
    """Bring the tables and the page up to date, finished sweep or interrupted one."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        update_tables(config.outputs)


def update_tables(outputs: str) -> None:
    """Aggregate and report, each in a process of its own: pandas stays out of the one that trains.

    What fails here is told in a line; the runs and the exit code are as they are.
    """
    end_show()
    report = subprocess.Popen(
        [sys.executable, "-m", "sweeper.report", outputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    aggregated = subprocess.run([sys.executable, "-m", "sweeper.aggregate", outputs], check=False)
    told, reasons = report.communicate()
    if report.returncode == 0:
        print(told, end="", flush=True)
    elif aggregated.returncode == 0:  # else it has said the same
        last = (reasons.strip().splitlines() or [f"exit code {report.returncode}"])[-1]
        print(f"no report.html: {last.removeprefix('error: ')}", file=sys.stderr, flush=True)
