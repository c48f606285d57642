"""Runs each optimizer's best settings again with two other seeds: the search's own accuracy of the best is too high."""

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from sweeper.aggregate.search import is_done, searched_accuracy, tried_settings
from sweeper.aggregate.tasks import Setting, Task
from sweeper.choose.choice import read_search
from sweeper.config.grammar import as_word
from sweeper.config.grid import Grid, compose_grid
from sweeper.config.widening import confirming_seeds
from sweeper.datasets.here import ImagesHere
from sweeper.report.provenance import read_words
from sweeper.runs.arms import UNNAMED_VARIABLE
from sweeper.runs.confirmations import read_confirmations, record_confirmation
from sweeper.runs.identity import identity_config
from sweeper.runs.layout import CONFIRMATIONS_FILE, RUN_FILE
from sweeper.runs.record import find_finished
from sweeper.runs.status import Status
from sweeper.system.child import run
from sweeper.system.command import MAKE_ROOM, writing
from sweeper.system.errors import BadInput
from sweeper.system.terminal import tell
from sweeper.system.text import counted


def confirm(
    outputs: Sequence[str],
    most: int,
    overrides: Sequence[str] = (),
    config_dir: str | None = None,
    optimizers: Collection[str] = (),
    here: ImagesHere | None = None,
) -> int:
    """Train the `most` best settings of each optimizer of a search with fresh seeds, by `sweeper.train`.

    Runs that are finished aren't trained again, so the same command goes on.

    Args:
        overrides: of where and how they are trained, such as a launcher.
        config_dir: a folder with YAML of the search's own choices.
        optimizers: whose settings are confirmed; of none given those of all.
        here: what the command knows of the images.

    Returns:
        The exit code of the training, 0 if nothing was left.

    Raises:
        BadInput: there is no search, nothing in it can be confirmed, a record can't be repeated, or the images here are
            others than the search's.
    """
    if most < 2:
        raise BadInput(f"--confirm {most}: the best are confirmed against one another; give 2 or more")
    task, _ = read_search(outputs, optimizers)  # `choose` says what was trained again
    seeds = fresh_seeds(task)
    arms = []
    for optimizer in dict.fromkeys(setting.optimizer for setting in task.compared):
        best, why = best_settings(task, optimizer, most)
        if why:
            tell(why)
        arms += best
    if not arms:
        raise BadInput(f"{', '.join(outputs)}: no optimizer has settings to confirm; search with more")
    words = [*(["--config-dir", config_dir] if config_dir else []), *_command(arms, seeds, overrides)]
    grid = compose_grid(words)
    _check(grid, arms)
    (here or ImagesHere()).check(grid.cells, task.images())
    done = sum(find_finished(cell.directory) is not None for cell in grid.cells)
    named = " and ".join(map(str, seeds))
    runs = counted(len(grid.cells), "run")
    tell(f"confirmation: {counted(len(arms), 'setting')} with seeds {named}, {done:,} of {runs} done already")
    with writing(grid.outputs / CONFIRMATIONS_FILE, MAKE_ROOM):
        record_confirmation(grid.outputs, [cell.directory for cell in grid.cells])
    if done == len(grid.cells):
        _renew_tables(grid.outputs)
        return 0
    return run([sys.executable, "-m", "sweeper.train", *words], {UNNAMED_VARIABLE: "1"})


def is_whole(outputs: Sequence[str]) -> bool:
    """Whether all runs that confirm are finished."""
    named = [Path(folder) / run for folder in outputs for run in read_confirmations(Path(folder))]
    return all(find_finished(directory) is not None for directory in named)


def _renew_tables(outputs: Path) -> None:
    """Make tables and page where a command that was stopped left them without its last runs. The choice needs neither,
    and the folder may be somebody else's."""
    from sweeper.report.renewal import are_made, make_anew

    if not are_made(outputs, outputs.glob(f"*/*/{RUN_FILE}")):
        make_anew(outputs)


def fresh_seeds(task: Task) -> list[int]:
    """Those after the search's own."""
    return confirming_seeds([run.values["seed"] for run in task.runs() if not run.confirms])


def best_settings(task: Task, optimizer: str, most: int) -> tuple[list[Setting], str]:
    """The best of an optimizer by the search's own seeds, and a line on what is missing or tied; "" without any."""
    tried = tried_settings(task, optimizer)
    whole = [setting for setting in tried if _is_whole(setting)]
    if len(whole) <= most or 2 * most > max(len(whole), 4):
        few = counted(len(whole), "completed setting")
        return [], f"{optimizer}: {few}, too few to confirm the best {most}"
    ordered = sorted(whole, key=searched_accuracy, reverse=True)
    scores = [searched_accuracy(setting) for setting in ordered]
    said = []
    if left := sum(not is_done(setting) for setting in tried):
        said.append(f"{left} of {len(tried)} settings not finished")
    if (tied := scores.count(scores[most])) > 1 and scores[most] == scores[most - 1]:
        said.append(
            f"{tied} settings tie with {100 * scores[most]:.2f} % about place {most}; those of lowest lr are taken"
        )
    return ordered[:most], f"{optimizer}: {'; '.join(said)}" if said else ""


def _is_whole(setting: Setting) -> bool:
    """Whether the search completed it. What its confirmation came to must not change which are the best."""
    statuses = {run.status for run in setting.runs if not run.confirms}
    return Status.COMPLETED in statuses and Status.DIVERGED not in statuses


def _command(arms: Sequence[Setting], seeds: Sequence[int], overrides: Sequence[str]) -> list[str]:
    """The words for `sweeper.train`: an arm for each setting, with what they share outside of the arms."""
    written = {}
    for setting in arms:
        run = next(run for run in setting.runs if run.status is Status.COMPLETED)
        repeated = read_words(run)[3:]
        if not repeated:
            raise BadInput(f"{run.path}: can't be repeated from its record; confirm it by hand with another seed")
        written[setting.label] = [word for word in repeated if not word.startswith("seed=")]
    first, *others = written.values()
    shared = [word for word in first if all(word in other for other in others)]
    flags = []
    for k, (setting, words) in enumerate(zip(arms, written.values(), strict=True), 1):
        own = [word for word in words if word not in shared] or [f"optimizer={setting.optimizer}"]
        flags += ["--arm", f"{setting.optimizer} {k}: {' '.join(own)}"]
    folder = Path(arms[0].runs[0].path).parents[1]
    given = {word.partition("=")[0] for word in overrides}
    if "seed" in given:
        raise BadInput(f"seed: the best are confirmed with seeds {' and '.join(map(str, seeds))}; leave it out")
    shared = [word for word in [*shared, "save_model=false"] if word.partition("=")[0] not in given]
    return ["-m", *flags, *shared, f"outputs={as_word(str(folder))}", *overrides, f"seed={','.join(map(str, seeds))}"]


def _check(grid: Grid, arms: Sequence[Setting]) -> None:
    """Check that the composed runs are the settings of the search: a record may be older than today's defaults."""
    asked = {json.dumps(setting.config, sort_keys=True) for setting in arms}
    for cell in grid.cells:
        config = {key: value for key, value in identity_config(cell.config).items() if key != "seed"}
        if json.dumps(config, sort_keys=True) not in asked:
            raise BadInput(f"{cell.directory}: would be another setting than the search's; confirm it by hand")
