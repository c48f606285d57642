"""`python -m sweeper.watch`: a live table of folders of runs, read only from the run directories.

`--json` prints one document and exits. Its fields, null if unknown; accuracies are in [0, 1]:

- `time`: when it was read, UTC, e.g. `2025-01-31T12:00:00Z`.
- `progress`: `sweeping` (whether a sweep is running; the other figures are of its runs, or else of all runs), `runs`,
  `counts` (runs by status), `epochs_done`, `epochs`, `share` in [0, 1] (of all epochs, what is done: the bar, which
  moves within an epoch), `seconds_elapsed`, `seconds_left`, `ends` (UTC).
- `runs`, a list: `run`, `label` (what varies in its running sweep, e.g. `lr 0.1, seed 1`; null outside of one),
  `status` (`running`, `waiting`, `failed`, `damaged`, `interrupted`, `diverged`, `pruned` or `completed`), `in_sweep`,
  `epoch` (those that have ended), `epoch_part` (what is done after them, in epochs: 0.25 is a quarter of the next),
  `epochs`, `test_accuracy` and `val_accuracy` (of the latest epoch; the latter null without validation images),
  `best_test_accuracy`, `images_per_second`, `seconds_left`, `error`, and `dataset`, `model`, `optimizer`, `noise`,
  `noise_rate`, `seed`, `device`, `precision`, `arm`.
- `repeats`, a sentence: how many runs were trained again with another result, and which one counts; null if none.
- `machine`, of this command: `cpu_load` in [0, 1], `memory_used_bytes`, `memory_total_bytes`, and `gpus`, a list of
  `name`, `load` in [0, 1], `memory_used_bytes`, `memory_total_bytes`.
"""

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweeper.system.command import Parser, exit_code_of
from sweeper.system.terminal import exit_when_terminated, say, writing_stdout

if TYPE_CHECKING:
    from sweeper.watch.overview import Overview, Watcher

EVERY = 1.0  # seconds between two updates
SHARE = 0.1  # the largest share of the time to spend on reading, since the runs need the machine


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0, also when Ctrl-C ends it; 2 for bad input."""

    def command() -> None:
        arguments = _parser().parse_args(argv)
        with contextlib.suppress(KeyboardInterrupt):
            watch(arguments.outputs, arguments.once, arguments.json)

    return exit_code_of(command)


def watch(outputs: Sequence[str], once: bool = False, as_json: bool = False) -> None:
    """Show the runs below the folders until Ctrl-C; only once with `once` or without a terminal.

    Raises:
        BadInput: a folder doesn't exist, or has neither runs nor a running sweep.
    """
    from sweeper.watch.load import Machine
    from sweeper.watch.overview import Watcher

    machine, watcher = Machine(), Watcher(outputs)
    overview = watcher.look(none_ok=False)
    if as_json:
        say(json.dumps(_document(overview, machine.look()), indent=1))
        return
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else 120)
    if once or not terminal:
        from sweeper.watch.table import watch_table

        with writing_stdout(), console.capture() as captured:
            console.print(watch_table(overview, machine.look(), console.width, None))
        say(captured.get(), end="", styled=True)
        return
    exit_when_terminated()
    show_live(watcher, machine, console)


def show_live(watcher: "Watcher", machine: Any, console: Any, pause: Any = time.sleep) -> None:
    """Update the table until `pause` returns true or an exception ends it."""
    from rich.live import Live

    from sweeper.watch.table import watch_table

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        stop = False
        while True:
            began = time.monotonic()
            overview = watcher.look()
            state = machine.look()
            live.update(watch_table(overview, state, console.width, console.height), refresh=True)
            if stop:
                return
            stop = bool(pause(max(EVERY, (time.monotonic() - began) / SHARE)))


def _document(overview: "Overview", machine: dict[str, Any]) -> dict[str, Any]:
    now, left = time.time(), overview.seconds_left
    return {
        "time": _utc(now),
        "progress": {
            "sweeping": overview.sweeping,
            "runs": len(overview.counted()),
            "counts": overview.counts(),
            "epochs_done": overview.epochs_done,
            "epochs": overview.epochs,
            "share": overview.share,
            "seconds_elapsed": overview.seconds_elapsed,
            "seconds_left": left,
            "ends": None if left is None else _utc(now + left),
        },
        "runs": [
            {
                "run": run.run,
                "label": run.label or None,
                "status": run.status,
                "in_sweep": run.in_sweep,
                "epoch": run.epoch,
                "epoch_part": run.part,
                "epochs": run.epochs,
                "test_accuracy": run.test_accuracy,
                "val_accuracy": run.val_accuracy,
                "best_test_accuracy": run.best_test_accuracy,
                "images_per_second": run.images_per_second,
                "seconds_left": run.seconds_left,
                "error": run.error,
                **run.settings,
            }
            for run in overview.runs
        ],
        "repeats": overview.repeats or None,
        "machine": machine,
    }


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _parser() -> Parser:
    parser = Parser(
        "watch",
        "A live table of runs: status, epoch, accuracy, speed, time left; the sweep's progress and end; "
        "this machine's memory and load. Read from the run directories, so with any launcher and from any machine that "
        "sees them. Ctrl-C ends it. Without a terminal it prints once.",
    )
    parser.add_argument("--once", action="store_true", help="print every run once and end")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for programs, and end")
    return parser
