"""TensorBoard's event files, in the folder `tensorboard/` of each run."""

import socket
from types import SimpleNamespace
from typing import Any, cast

from sweeper.runs.identity import flat
from sweeper.system.files import remove_tree
from sweeper.train.trackers.tracking import Row, TrackedRun, figures_of

# Replaces the module `socket`, by which the writer puts this machine's name into its files' names.
_NAMELESS = SimpleNamespace(gethostname=lambda: "host")


class TensorBoard:
    package = "tensorboard"

    def __init__(self, run: TrackedRun) -> None:
        from tensorboard.summary.writer import event_file_writer
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        event_file_writer.socket = cast("Any", socket if run.config["record_host"] else _NAMELESS)
        folder = run.directory / "tensorboard"
        remove_tree(folder)  # a resumed run logs all its rows again
        self._writer = cast("Any", SummaryWriter(str(folder)))
        values = {name: value for name, value in flat(run.config) if isinstance(value, (bool, int, float, str))}
        for summary in hparams(values, {"test_accuracy": None}):
            self._writer.file_writer.add_summary(summary)

    def log(self, row: Row) -> None:
        for name, value in figures_of(row).items():
            self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()

    def finish(self, status: str, result: Row) -> None:
        self._writer.add_text("status", status)
        self._writer.close()
