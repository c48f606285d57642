"""Tracks runs by Trackio: by default on this machine, in the folder that TRACKIO_DIR names."""

import contextlib
import sys
import warnings
from types import SimpleNamespace
from typing import Any, ClassVar

from sweeper.system.errors import BadInput
from sweeper.train.trackers.tracking import Row, TrackedRun, figures_of

PRINTING = ("trackio", "trackio.run", "trackio.utils")  # modules that print several lines a run


class Trackio:
    package = "trackio"
    _failures: ClassVar[dict[str, list[str]]] = {}  # of the runs of this process, by their names

    @staticmethod
    def check(project: str, space_id: str | None) -> None:
        if not project or "/" in str(project):
            raise BadInput(f"tracking.project={project}: must be a name without /")

    def __init__(self, run: TrackedRun, project: str, space_id: str | None) -> None:
        import trackio

        for module in filter(None, map(sys.modules.get, PRINTING)):
            vars(module)["print"] = _say_nothing  # it has no switch for this, and stdout is the whole process's
        vars(sys.modules.get("trackio.utils", trackio))["warnings"] = SimpleNamespace(warn=_keep)
        name = f"{run.name}-{run.key}"  # the key is another when the run is trained again
        if space_id is None:
            with contextlib.suppress(ValueError):  # there is no such project yet
                for earlier in trackio.Api().runs(project):
                    if earlier.name == name:
                        earlier.delete()  # a resumed run logs all its rows again
        self._told = self._failures[name] = []
        self._run: Any = trackio.init(
            project=project,
            name=name,
            group=run.name.rpartition("-seed")[0],
            space_id=space_id,
            config=run.config,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, row: Row) -> None:
        self._raise_failure()
        # Of an epoch that a Space already has, a second point has the same step and values.
        self._run.log(figures_of(row), step=row["step"])

    def finish(self, status: str, result: Row) -> None:
        self._run.log({"status": status, **{name: value for name, value in result.items() if value is not None}})
        self._run.finish()
        self._raise_failure()

    def _raise_failure(self) -> None:
        """Raises RuntimeError if a warning has named this run."""
        if self._told:
            raise RuntimeError(self._told[0].partition(". User code will continue")[0])


def _keep(message: str, *arguments: Any, **options: Any) -> None:
    """Stands for `warnings.warn`: keeps what names a run of this process, for that run to raise."""
    told = next((failures for name, failures in [*Trackio._failures.items()] if name in message), None)
    if told is None:
        warnings.warn(message, *arguments, **options)
    else:
        told.append(message)


def _say_nothing(*words: object, **options: object) -> None:
    """Stands for `print`."""
