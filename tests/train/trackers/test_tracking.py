"""Each tracker's own reader finds the metrics, once, and no tracker that fails harms a run."""

import sys
import threading
import time

import pytest
from conftest import TINY
from made_runs import make_config, make_rows

from sweeper.runs.directory import RunDirectory
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.train.trackers import tracking
from sweeper.train.trackers.tracking import TrackedRun, Tracking

ROWS = make_rows([0.25, 0.5, 0.75])
RESULT = {"final_test_accuracy": 0.75, "best_epoch": 3, "steps_to_target": "inf", "shared_device": False}


class Remembering:
    """What trackers were told, by their run's key."""

    told: dict[str, list] = {}  # noqa: RUF012

    def __init__(self, run: TrackedRun, place: str = "") -> None:
        self.mine = self.told.setdefault(run.key, [])

    def log(self, row: dict) -> None:
        self.mine.append(row["epoch"])

    def finish(self, status: str, result: dict) -> None:
        self.mine.append(status)


class Failing(Remembering):
    def log(self, row: dict) -> None:
        raise RuntimeError("no such server\nsecond line")


class Hanging(Remembering):
    free = threading.Event()

    def log(self, row: dict) -> None:
        self.free.wait(20)


def make_tracking(tmp_path, name, record_host=True, **options) -> tuple[Tracking, RunDirectory]:
    node = {"name": name, **options}
    if name in ("Remembering", "Failing", "Hanging"):
        node["_target_"] = f"{__name__}.{name}"
    config = make_config(tracking=node, outputs=str(tmp_path), record_host=record_host)
    run = RunDirectory(tmp_path / "digits-cnn" / "sgd-seed1-00000000")
    return Tracking(config, run), run


def track(tmp_path, name, rows=ROWS, status="completed", **options) -> None:
    """A run of these rows from its start to its end; a second call resumes it."""
    made, _ = make_tracking(tmp_path, name, **options)
    told: list[dict] = []
    with made:
        made.start()
        for row in rows:
            told.append(row)
            made.epoch(told)
        made.end(told, Status(status), RESULT)


def test_a_tracker_gets_every_row_and_the_end(tmp_path):
    Remembering.told.clear()
    track(tmp_path, "Remembering")
    assert list(Remembering.told.values()) == [[1, 2, 3, "completed"]]


def test_a_resumed_run_keeps_its_key_and_one_trained_again_gets_another(tmp_path):
    Remembering.told.clear()
    track(tmp_path, "Remembering", ROWS[:1], "interrupted")
    track(tmp_path, "Remembering")
    RunDirectory(tmp_path / "digits-cnn" / "sgd-seed1-00000000").set_aside()
    track(tmp_path, "Remembering")
    assert list(Remembering.told.values()) == [[1, "interrupted", 1, 2, 3, "completed"], [1, 2, 3, "completed"]]


def test_without_a_tracker_nothing_is_written(tmp_path):
    track(tmp_path, "none")
    assert list(tmp_path.rglob("*")) == []


def test_one_that_fails_is_told_once_and_left_alone(tmp_path, warnings):
    track(tmp_path, "Failing")
    (line,) = warnings
    assert line.endswith("tracking=Failing: RuntimeError: no such server; the run goes on")


def test_one_that_never_answers_is_waited_for_only_so_long(tmp_path, warnings, monkeypatch):
    monkeypatch.setattr(tracking, "PATIENCE", 1.0)
    monkeypatch.setattr(tracking, "PATIENCE_AFTERWARDS", 0.1)
    monkeypatch.setattr(Tracking, "_one_hung", False)
    began = time.monotonic()
    track(tmp_path, "Hanging")
    track(tmp_path, "Hanging")
    Hanging.free.set()
    assert time.monotonic() - began < 10
    assert [line.partition("Error: ")[2] for line in warnings] == [
        "no answer in 1 s; the run goes on",
        "no answer in 0 s; the run goes on",
    ]


def test_a_run_that_is_left_early_lets_its_tracker_go(tmp_path):
    made, _ = make_tracking(tmp_path, "Remembering")
    with made:
        made.start()
        thread = made._thread
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tracking=tensorboad"], "did you mean 'tensorboard'"),
        (["tracking=wandb", "tracking.mode=offlin"], "tracking.mode=offlin: did you mean 'offline'"),
        (["tracking=mlflow", "tracking.uri=http://me:secret@host"], "MLFLOW_TRACKING_PASSWORD"),
        (["tracking=mlflow", "+tracking.experimnt=x"], "unexpected keyword argument 'experimnt'"),
    ],
)
def test_bad_input_is_one_line_and_nothing_starts(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setattr(tracking, "import_installed", lambda name: None)  # installed or not
    code, _, error = call(*arguments, *TINY)
    assert code == 2 and words in error and error.startswith("error: ") and error.count("\n") == 1
    assert "secret" not in error and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_package_that_is_missing_is_named_with_its_extra(call, tmp_path, monkeypatch, name):
    def missing(package):
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(tracking, "import_installed", missing)
    code, _, error = call(f"tracking={name}", *TINY)
    assert code == 2 and not list(tmp_path.iterdir())
    how = f"pip install 'optimizer-sweeper[{name}]', or '.[{name}]' from a clone"
    assert error == f"error: tracking={name}: needs {name}; {how}\n"


def test_a_folder_of_a_packages_name_is_not_the_package(tmp_path, monkeypatch):
    """As W&B leaves one where a command was started."""
    import sweeper.train.trackers.wandb  # noqa: F401

    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "wandb", None)
    del sys.modules["wandb"]  # and what is imported here is forgotten again
    options = {"name": "wandb", "_target_": "sweeper.train.trackers.wandb.WandB", "project": "sweeper"}
    with pytest.raises(BadInput, match=r"^tracking=wandb: needs wandb; pip install"):
        tracking.check_tracking(options)


def tells_host(tmp_path, monkeypatch, name, record_host, **options) -> bool:
    """Whether this machine's name stands in what a tracker leaves, as a file's name or in it."""
    host = "of-this-machine-alone"
    monkeypatch.setattr("socket.gethostname", lambda: host)
    track(tmp_path / str(record_host), name, record_host=record_host, **options)
    time.sleep(0.5)  # a process of its own may still write
    files = [path for path in (tmp_path / str(record_host)).rglob("*") if path.is_file()]
    assert files
    return any(host in path.name or host.encode() in path.read_bytes() for path in files)
