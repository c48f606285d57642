"""Logs runs to a tracker, chosen by the group `tracking`. A tracker that fails or hangs never fails a run.

A tracker is a class that its YAML names by `_target_`. Each run creates one, with the run and the YAML's other values,
in a separate thread, so that training never waits for a network.
"""

import inspect
import logging
import queue
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name, with_relative_paths
from sweeper.runs.metrics import METRICS
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, install, named
from sweeper.system.module_path import import_installed

log = logging.getLogger("sweeper")

PATIENCE = 30.0  # seconds to wait for a tracker to log a run's last rows
PATIENCE_AFTERWARDS = 1.0  # likewise, after a tracker of this process has exceeded it

Row = dict[str, Any]


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker logs.

    Attributes:
        directory: the run's directory, in which a tracker may create a folder.
        name: `<dataset>-<model>/<optimizer>[-<noise>]-seed<k>-<hash8>`.
        key: 12 hexadecimal digits; the same when the run resumes, another one when `rerun=true` trains it again.
        config: the resolved configuration, with paths relative to `directory`.
        outputs: the folder of all runs.
    """

    directory: Path
    name: str
    key: str
    config: dict[str, Any]
    outputs: Path


def figures_of(row: Row) -> Row:
    """What there is of an epoch's figures, the step aside."""
    return {name: row[name] for name in METRICS if name != "step" and row.get(name) is not None}


class Tracker(Protocol):
    """The interface of a tracker.

    The class attribute `package` names the package that it imports, which is checked before anything starts. An
    optional class method `prepare` is called once before parallel runs start, with the folder of all runs and the
    YAML's values.
    """

    def log(self, row: Row) -> None:
        """Log one epoch's row of `metrics.csv`. A resumed run logs all of its rows again, from the first."""

    def finish(self, status: str, result: Row) -> None:
        """Called when the run has ended, or was interrupted and may resume. `result` is that in `run.json`."""


def check_tracking(options: dict[str, Any]) -> None:
    """Raises BadInput if a tracker's package can't be imported, or it doesn't take these options."""
    tracker = _tracker_class(options)
    if tracker is None:
        return
    name = options["name"]
    if package := getattr(tracker, "package", None):
        try:
            import_installed(package)
        except Exception as error:  # a broken installation may raise anything
            missing = isinstance(error, ModuleNotFoundError) and error.name == package
            why = "" if missing else f", which can't be imported ({named(error)})"
            raise BadInput(f"tracking={name}: needs {package}{why}; {install(package)}") from error
    try:
        inspect.signature(tracker).bind(None, **_values(options))
    except TypeError as error:
        raise BadInput(f"tracking={name}: {options['_target_']}: {error}") from error
    if check := getattr(tracker, "check", None):
        check(**_values(options))


def prepare_tracking(options: dict[str, Any], outputs: Path) -> None:
    """Call the tracker's `prepare`, once for all runs. Errors are left to the runs, which report them."""
    tracker = _tracker_class(options)
    if (prepare := getattr(tracker, "prepare", None)) is not None:
        try:
            prepare(outputs, **_values(options))
        except Exception as error:
            log.debug("tracking=%s: %s", options["name"], error)


class Tracking:
    """One run's tracker, or none. A context: on an early exit it abandons the tracker."""

    _one_hung: ClassVar[bool] = False

    def __init__(self, config: dict[str, Any], run: RunDirectory) -> None:
        self._config, self._run = config, run
        self._told = 0  # rows
        self._rows: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, *exception: object) -> None:
        self._rows.put(None)

    def start(self) -> None:
        """Start the tracker. Call it when the run owns its directory."""
        try:
            tracker = _tracker_class(self._config["tracking"])
            if tracker is None:
                return
            run = TrackedRun(
                self._run.path.resolve(),
                run_name(self._config),
                self._run.tracking_key() or self._run.write_tracking_key(uuid.uuid4().hex[:12]),
                with_relative_paths(self._config, self._run.path),
                Path(self._config["outputs"]).resolve(),
            )
        except Exception as error:  # e.g. a worker on another machine lacks the package
            self._fail(error)
            return
        self._thread = threading.Thread(target=self._work, args=(tracker, run), name="tracking", daemon=True)
        self._thread.start()

    def epoch(self, rows: list[Row]) -> None:
        """Log the rows that haven't been logged yet."""
        for row in rows[self._told :]:
            self._rows.put((dict(row),))
        self._told = len(rows)
        self._warn()

    def end(self, rows: list[Row], status: Status, result: Row) -> None:
        self.epoch(rows)
        if self._thread is None:
            return
        self._rows.put((status.value, result))
        self._rows.put(None)
        patience = PATIENCE_AFTERWARDS if Tracking._one_hung else PATIENCE
        self._thread.join(patience)
        if self._thread.is_alive():
            Tracking._one_hung = True
            self._fail(TimeoutError(f"no answer in {patience:.0f} s"))
        self._warn()

    def _work(self, make: Any, run: TrackedRun) -> None:
        """Run in the thread. It writes no log lines, since only the run's own thread knows whose log is open."""
        try:
            tracker: Tracker = make(run, **_values(self._config["tracking"]))
            while (told := self._rows.get()) is not None:
                if len(told) == 1:
                    tracker.log(*told)
                else:
                    tracker.finish(*told)
        except BaseException as error:  # sys.exit, too
            self._error = error

    def _warn(self) -> None:
        if self._error is not None and self._thread is not None:
            self._fail(self._error)

    def _fail(self, error: BaseException) -> None:
        self._thread = None
        name = self._config["tracking"]["name"]
        directory = Path(self._config["outputs"]) / run_name(self._config)
        log.warning("%s: tracking=%s: %s; the run goes on", directory, name, named(error))


def _tracker_class(options: dict[str, Any]) -> Any:
    if options.get("_target_") is None:
        return None
    from sweeper.config.targets import load_target

    return load_target("tracking._target_", options["_target_"])


def _values(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in ("name", "_target_")}
