"""Draws a sample of runs by a key, and trains them again by their own recorded configuration."""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeper.config.grammar import as_word, word_key
from sweeper.config.grid import compose_grid
from sweeper.config.resolved import Cell
from sweeper.datasets.facts import DOWNLOADS, download_command, is_present
from sweeper.report.provenance import cpu_threads, repeat_words
from sweeper.runs.identity import GROUPS, flat, identity_config, is_identity, run_hash
from sweeper.runs.layout import DRAW_FILE
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.system.files import make_folder, read_file, write_atomically
from sweeper.system.limits import NOTE_BYTES
from sweeper.system.machine import cores
from sweeper.verify.folder import Found


class CantRepeat(Exception):
    """A run that can't be trained again here. One line."""


def key_of(into: Path | None, given: str | None) -> str:
    """The key of the draw: the given one, that of an earlier call with the same folder, or a new one.

    A new one is random, so that nobody knows beforehand which runs will be drawn.
    """
    if given is not None:
        return given
    if into is None:
        return secrets.token_hex(4)
    file = into / DRAW_FILE
    try:
        return read_file(file, NOTE_BYTES).decode().strip()
    except FileNotFoundError:
        key = secrets.token_hex(4)
        make_folder(into)
        write_atomically(file, f"{key}\n".encode())
        return key
    except OSError as error:
        raise BadInput(f"{file}: can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"{file}: isn't a draw's key; remove it, or give --into another folder") from error


def draw(runs: Sequence[Found], size: int, key: str) -> list[Found]:
    """`size` of the runs that have a result, in the order of SHA-256 of the key and the run's directory."""
    results = [one for one in runs if one.record and one.run.status.finished and one.rows]

    def place(one: Found) -> str:
        return hashlib.sha256(f"{key} {one.run.values['run']}".encode()).hexdigest()

    return sorted(results, key=place)[:size]


def compose_again(one: Found, into: Path, here: Sequence[str]) -> tuple[Cell, list[str]]:
    """The run as it would be trained here, and the words of `sweeper.train` that do it.

    Args:
        here: what this machine has: `device=…`, `dataset.root=…`, `--config-dir DIR`.

    Raises:
        CantRepeat: its record doesn't give its configuration here.
    """
    config = one.record["config"]
    said = one.environment.get("overrides")
    said = [word for word in said if isinstance(word, str)] if isinstance(said, list) else []
    own = [word for word in said if is_identity(word_key(word)) and not word_key(word).startswith("hydra")]
    again = repeat_words({**config, "dataset": {**config["dataset"], "root": None}}, own)
    if not again:
        raise CantRepeat("its record names code or an interpolation; it is not run")
    words = [*again[3:], *_threads(one, here), *here, "save_model=false", f"outputs={as_word(str(into))}"]
    try:
        (cell,) = compose_grid(words, "verify").cells
    except BadInput as error:
        raise CantRepeat(f"can't be composed here: {error}") from error
    if run_hash(cell.config) != run_hash(config):
        names = ", ".join(_differing(config, cell.config)[:6])
        raise CantRepeat(f"this version composes its configuration with other values of {names}")
    return cell, words


def check_present(cell: Cell) -> None:
    """Raises BadInput if the run's data set isn't on this machine."""
    dataset = cell.config["dataset"]
    if not is_present(dataset):
        raise BadInput(
            f"dataset={dataset['name']}: isn't in {dataset['root'] or DOWNLOADS}/ here; say dataset.root=DIR, or "
            f"download it: {download_command(dataset['name'])}"
        )


def _threads(one: Found, here: Sequence[str]) -> list[str]:
    """As many threads as the run had on a CPU, on which its bits depend, if there are so many cores here."""
    threads = cpu_threads(one.environment)
    asked = any(word_key(word) == "device.threads" for word in here)
    return [f"device.threads={threads}"] if threads and threads <= cores() and not asked else []


def _differing(recorded: dict[str, Any], composed: dict[str, Any]) -> list[str]:
    then, now = (dict(flat(identity_config(config))) for config in (recorded, composed))
    names = sorted(name for name in then | now if then.get(name) != now.get(name))
    return [name for name in names if name.partition(".")[0] in GROUPS] + [n for n in names if "." not in n]


def finals(groups: Sequence[Sequence[Found]], without: Found) -> list[list[float]]:
    """The final test accuracies of each group's completed runs but one."""
    completed = [[one for one in group if one.run.status is Status.COMPLETED] for group in groups]
    return [[one.run.values["final_test_accuracy"] for one in group if one is not without] for group in completed]
