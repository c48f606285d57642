"""Prints the document of `sweeper.plan` as lines and tables of text."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from sweeper.aggregate.labels import plural
from sweeper.aggregate.sample_size import seeds_words
from sweeper.config.schema import RECIPE
from sweeper.datasets.facts import MADE
from sweeper.plan.standing import COUNTED
from sweeper.system.terminal import say
from sweeper.system.text import amount, counted, duration, printable, size, times
from sweeper.train.launchers.joblib import Joblib
from sweeper.train.launchers.packed import Packed

ESTIMATED = "~"  # before a figure that wasn't timed itself
FASTER = 0.9  # of the time with the launcher that was asked for; a smaller gain isn't told first

ASIDES = {"kwh": "kWh of the GPU", "cost": "cost"}  # of a launcher, by their heads; where they are known


def print_plan(document: dict[str, Any]) -> None:
    """Print the document of `sweeper.plan`, as wide as the terminal, else 110 columns."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 110)
    with console.capture() as captured:
        _print(document, console)
    say(captured.get(), end="", styled=True)


def _print(document: dict[str, Any], console: Console) -> None:
    def show(what: Any = "") -> None:
        console.print(what, soft_wrap=isinstance(what, str))  # don't wrap lines of text, so that they can be searched

    runs, left = document["runs"], document["epochs_left"]
    if left:
        show(_answer(document))
    states = f"{document['done']} done, {document['half_done']} half-done, {document['to_do']} to do"
    epochs = f"{left:,} of {counted(document['epochs'], 'epoch')} left"
    show(f"{counted(runs, 'run')} in {document['outputs']}/: {states}; {epochs}")
    if document["half_done"]:
        show(COUNTED)
    if most := document.get("extensions"):
        grows = "a grid grows while its optimizer's best cell lies on the edge"
        show(f"extensions come on top: {grows}, {times(most)} at most")
    if not left:
        show("nothing is left to do: sweeper.train answers from disk")
        _tell_seeds(document, show)
        return
    show(printable(f"on {document['device_line']}"))
    if missing := sorted({work["dataset"] for work in document["work"] if work["data"].startswith(MADE)}):
        show(f"timed with {MADE}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'}n't here yet")
    for build in (_work_table, _launcher_table):
        show()
        show(build(document))
    _tell_doubts(document["work"], show)
    if document["not_reckoned"]:
        show(f"hydra/launcher={document['not_reckoned']} isn't reckoned: these times are this machine's, without it")
    _tell_within(document, show)
    _tell_seeds(document, show)
    show()
    show(_disk_line(document["disk"], document["outputs"]))
    show()
    _tell_elsewhere(document, show)


def _answer(document: dict[str, Any]) -> str:
    """How long it takes, with the launcher that was asked for and with the fastest."""
    ways = document["launchers"]
    asked, best = next((way for way in ways if way["chosen"]), None), ways[0]
    if asked is None:
        return f"{duration(best['seconds'])} {_with(best)} on this machine; {document['not_reckoned']} isn't reckoned"
    faster = f"; {duration(best['seconds'])} {_with(best)}" if best["seconds"] < FASTER * asked["seconds"] else ""
    return f"{duration(asked['seconds'])} {_with(asked)}{faster}"


def _with(way: dict[str, Any]) -> str:
    if way["launcher"] == "none":
        return "for the run"
    return "with the default launcher" if way["launcher"] == Joblib.name else f"with hydra/launcher={way['launcher']}"


def _table(*columns: tuple[str, bool]) -> Table:
    """A table with columns given by name and whether they contain numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, number in columns:
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    return table


def _work_table(document: dict[str, Any]) -> Table:
    work = document["work"]
    sides = list(work[0]["epoch_seconds"])
    named = [
        name
        for name in ("arms", "dataset", "model", "optimizer", "batch_size", *RECIPE)
        if name == "optimizer" or len({kind[name] for kind in work}) > 1 or (name == "arms" and work[0]["arms"])
    ]
    speed = sides[-1]
    at_a_time = {side: f", {side} at a time" if len(sides) > 1 else "" for side in sides}
    table = _table(
        *((name.replace("_", " "), False) for name in named),
        ("runs", True),
        *((f"s/epoch{words}", True) for words in at_a_time.values()),
        (f"images/s{at_a_time[speed]}", True),
        ("memory of one", True),
    )
    for kind in work:
        table.add_row(
            *(_used(kind[name]) if name in RECIPE else printable(str(kind[name])) for name in named),
            str(kind["runs"]),
            *(ESTIMATED * (side in kind["estimated"]) + _seconds(kind["epoch_seconds"][side]) for side in sides),
            ESTIMATED * (speed in kind["estimated"]) + f"{kind['images_per_second'][speed] * int(speed):,.0f}",
            size(kind["memory_bytes"]),
        )
    return table


def _tell_doubts(work: list[dict[str, Any]], show: Any) -> None:
    if any(kind["estimated"] for kind in work):
        show(f"{ESTIMATED} by another kind of the same model, since a few steps take long here")
    for kind in work:
        if kind["implausible"] and not kind["estimated"]:
            alone, side = kind["epoch_seconds"]["1"], list(kind["epoch_seconds"])[-1]
            took = f"{_seconds(alone)} s an epoch alone, {_seconds(kind['epoch_seconds'][side])} s {side} at a time"
            name = f"{kind['dataset']}-{kind['model']} {kind['optimizer']}"
            show(printable(f"{name}: implausible: {took}; plan again when the machine is quiet"))


def _launcher_table(document: dict[str, Any]) -> Table:
    asked = document["within_seconds"] is not None
    asides = {name: head for name, head in ASIDES.items() if any(name in way for way in document["launchers"])}
    table = _table(
        ("launcher", False),
        ("runs at a time", True),
        ("time", True),
        *([("in time", True)] if asked else []),
        *((head, True) for head in asides.values()),
        ("", False),
    )
    ways = document["launchers"]
    for k, way in enumerate(ways):
        remark = ["the fastest"] if k == 0 and len(ways) > 1 else []
        remark += ["as asked for"] if way["chosen"] and len(ways) > 1 else []
        if way["launcher"] == Packed.name and document["device"] != "cuda":
            remark += ["as basic: it packs runs on NVIDIA GPUs alone"]
        name = "one run" if way["launcher"] == "none" else f"hydra/launcher={way['launcher']}"
        table.add_row(
            name,
            str(way["at_a_time"]),
            duration(way["seconds"]),
            *([counted(way["fit"], "run")] if asked else []),
            *(amount(way[name]) if name in way else "" for name in asides),
            ", ".join(remark),
        )
    return table


def _tell_within(document: dict[str, Any], show: Any) -> None:
    if document["within_seconds"] is None:
        return
    best, left = document["launchers"][0], document["half_done"] + document["to_do"]
    within, most = duration(document["within_seconds"]), best["epochs_that_fit"]
    runs, them = counted(left, "run"), "it" if left == 1 else "them"
    if best["fit"] == left:
        show(f"all of it fits in {within}; from the beginning, {counted(most, 'epoch')} a run would")
    elif most:
        show(f"in {within}: {best['fit']:,} of {runs}, or all of {them} by epochs={most}")
    else:
        show(f"in {within}: {best['fit']:,} of {runs}, and not all of {them} with even one epoch")


def _tell_seeds(document: dict[str, Any], show: Any) -> None:
    """How many seeds each task needs."""
    several = len(document["seeds"]) > 1
    for entry in document["seeds"]:
        show()
        task = "how many seeds? " + (printable(f"{entry['task']}: ") if several else "")
        if entry["needed"]:
            _show_needed(entry, task, show)
        else:
            show(f"{task}{_why_no_seeds(entry, document['outputs'])}")
        if entry["repeats"]:
            show(entry["repeats"])


def _show_needed(entry: dict[str, Any], task: str, show: Any) -> None:
    k, df = entry["optimizers"], entry["df"]
    points = counted(f"{100 * entry['deviation']:.2g}", "point")
    scatter = f"{points} ({counted(df, 'degree')} of freedom)"
    power = f"{100 * entry['power']:.0f} % power for a pair"
    show(f"{task}{k} {plural(entry['noun'])} at a residual deviation of {scatter}, {power}")
    table = _table(("to find, points", True), ("seeds", True), ("runs", True), ("time from the beginning", True))
    for need in entry["needed"]:
        runs, seconds = need["runs"], need["seconds"]
        cells = (f"{runs:,}" if runs else "–", duration(seconds) if seconds is not None else "–")
        table.add_row(f"{100 * need['difference']:g}", seeds_words(need["seeds"]), *cells)
    show(table)
    if any(need["seconds"] is not None and not need["timed"] for need in entry["needed"]):
        show("this time is of training as in the finished runs, one at a time")


def _why_no_seeds(entry: dict[str, Any], outputs: str) -> str:
    if entry["optimizers"] < 2:
        return "name two optimizers or more to compare, such as optimizer=sgd,adamw"
    shows = f"the finished runs of this task in {outputs}/ don't show"
    shows = shows if entry["finished"] else f"no finished runs of this task in {outputs}/ show"
    return f"{shows} how much results scatter; run two optimizers with seed=1,2,3, then ask again"


def _disk_line(disk: dict[str, Any], outputs: str) -> str:
    kept, checkpoints, free = (size(disk[f"{name}_bytes"]) for name in ("kept", "while_training", "free"))
    line = f"disk: {kept} in {outputs}/, {checkpoints} more for checkpoints while it trains; {free} are free"
    return line if disk["enough"] else f"{line}: NOT ENOUGH; make room, or choose another folder by outputs=DIR"


def _tell_elsewhere(document: dict[str, Any], show: Any) -> None:
    rows = document["elsewhere"]
    if not rows:
        show("elsewhere: no speed of this model and image size is known in conf/speeds.yaml")
        return
    table = _table(("elsewhere", False), ("time", True), ("images/s", True), ("source", False))
    table.columns[0].no_wrap = True
    for row in rows:
        start = "" if row["start_seconds"] else " + start"
        table.add_row(
            row["device"], duration(row["seconds"]) + start, f"{row['images_per_second']:,.0f}", row["source"]
        )
    show(table)
    if any(kind["batch_size"] != rows[0]["batch_size"] for kind in document["work"]):
        show(f"these speeds are of batch_size={rows[0]['batch_size']}")


def _used(option: bool) -> str:
    return "yes" if option else "no"


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
