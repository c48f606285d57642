"""Runs shown by a tracker too, by the group `tracking`. One that fails, or never answers, harms no run.

A tracker is a class that its YAML names by `_target_`. It is made once for each run, with the run and the YAML's other
values, in a thread of its own, so that training never waits for a network.
"""

import inspect
import logging
import queue
import threading
import uuid
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name, with_relative_paths
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, install, named

log = logging.getLogger("sweeper")

PATIENCE = 30.0  # seconds in which a tracker must take a run's last rows
PATIENCE_AFTERWARDS = 1.0  # once one of this process did not

Row = dict[str, Any]


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of its run.

    Attributes:
        directory: the run's, where a tracker may keep a folder.
        name: `<dataset>-<model>/<optimizer>[-<noise>]-seed<k>-<hash8>`.
        key: 12 hexadecimal digits; the same when the run is resumed, others when it is trained again by `rerun=true`.
        config: the resolved configuration, with paths relative to `directory`.
        outputs: the folder of all runs.
    """

    directory: Path
    name: str
    key: str
    config: dict[str, Any]
    outputs: Path


class Tracker(Protocol):
    """A class attribute `package` names what it imports, to be looked for before anything starts. `prepare`, if it has
    one, is a class method called with the folder of all runs and the YAML's values, once, before parallel runs begin.
    """

    def log(self, row: Row) -> None:
        """Take one epoch's row of `metrics.csv`. A resumed run gets all of its rows again, from the first."""

    def finish(self, status: str, result: Row) -> None:
        """The run has ended, or was interrupted and may be resumed. `result` as in `run.json`."""


def check_tracking(options: dict[str, Any]) -> None:
    """Find out whether a tracker can be made.

    Raises:
        BadInput: its package can't be imported, or it takes no such options.
    """
    tracker = _tracker_class(options)
    if tracker is None:
        return
    name = options["name"]
    if package := getattr(tracker, "package", None):
        try:
            import_module(package)
        except Exception as error:  # whatever a broken installation makes it raise
            missing = isinstance(error, ModuleNotFoundError) and error.name == package
            why = "" if missing else f", which can't be imported ({type(error).__name__}: {error})"
            raise BadInput(f"tracking={name}: needs {package}{why}; {install(package)}") from error
    try:
        inspect.signature(tracker).bind(None, **_values(options))
    except TypeError as error:
        raise BadInput(f"tracking={name}: {options['_target_']}: {error}") from error
    if check := getattr(tracker, "check", None):
        check(**_values(options))


def prepare_tracking(options: dict[str, Any], outputs: Path) -> None:
    """What is made once for all runs; what fails here is told by the runs themselves."""
    tracker = _tracker_class(options)
    if (prepare := getattr(tracker, "prepare", None)) is not None:
        try:
            prepare(outputs, **_values(options))
        except Exception as error:
            log.debug("tracking=%s: %s", options["name"], error)


class Tracking:
    """One run's tracker, or none. A context: left early, it lets the tracker go."""

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
        """To be called when the run's directory is the run's."""
        try:
            tracker = _tracker_class(self._config["tracking"])
            if tracker is None:
                return
            run = TrackedRun(
                self._run.path.resolve(),
                run_name(self._config),
                self._run.tracking_key() or self._run.write_tracking_key(uuid.uuid4().hex[:12]),
                with_relative_paths(self._config, self._run.path),
                Path(self._config["outputs"]).expanduser().resolve(),
            )
        except Exception as error:  # e.g. a worker on another machine lacks the package
            self._fail(error)
            return
        self._thread = threading.Thread(target=self._work, args=(tracker, run), name="tracking", daemon=True)
        self._thread.start()

    def epoch(self, rows: list[Row]) -> None:
        """Tell the rows that were not told yet."""
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
        """In the thread. Nothing is logged here: which run's log is open, only the run's own thread knows."""
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
