"""Tracks runs by Weights & Biases: by default offline, in each run's folder `wandb/`, for `wandb sync`."""

from typing import Any, cast

from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, nearest
from sweeper.system.files import make_folder, remove_tree
from sweeper.train.trackers.tracking import Row, TrackedRun, figures_of

MODES = ("offline", "online", "disabled")


class WandB:
    package = "wandb"

    @staticmethod
    def check(project: str, entity: str | None, mode: str) -> None:
        if mode not in MODES:
            raise BadInput(f"tracking.mode={mode}: {nearest(str(mode), MODES)}")

    def __init__(self, run: TrackedRun, project: str, entity: str | None, mode: str) -> None:
        import wandb

        for earlier in (run.directory / "wandb").glob(f"offline-run-*-{run.key}"):
            remove_tree(earlier)  # a resumed run logs all its rows again
        make_folder(run.directory)
        self._run: Any = wandb.init(
            project=project,
            entity=entity,
            mode=cast("Any", mode),
            id=run.key,
            name=run.name,
            group=run.name.rpartition("-seed")[0],
            config=run.config,
            dir=str(run.directory),
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # several runs may share this process
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                save_code=False,
                host=None if run.config["record_host"] else "host",  # None: this machine's name
            ),
        )

    def log(self, row: Row) -> None:
        self._run.log(figures_of(row), step=row["step"])

    def finish(self, status: str, result: Row) -> None:
        self._run.summary.update({"status": status, **{k: v for k, v in result.items() if v is not None}})
        self._run.finish(exit_code=int(status == Status.FAILED))
