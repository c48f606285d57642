"""The tables of the page: their texts and sort keys."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sweeper.aggregate.bootstrap import interquartile_mean, min_max, stratified_interval
from sweeper.aggregate.conclusions import describe_difference
from sweeper.aggregate.improvement import improvement_interval, probability_of_improvement
from sweeper.aggregate.labels import differing, kind_of, text
from sweeper.aggregate.points import points
from sweeper.aggregate.summary import VALIDATION
from sweeper.aggregate.tables import BEST, accuracy
from sweeper.aggregate.tasks import Setting, Task, on_all
from sweeper.aggregate.verdict import describe_order
from sweeper.report.places import without_folders
from sweeper.runs.metrics import FROM_RESULT
from sweeper.runs.rows import CODE_OF, Run
from sweeper.runs.status import Status
from sweeper.system.text import duration, few

MOST_SEEDS = 30  # whose accuracies stand in a row


@dataclass(frozen=True)
class Cell:
    """A cell. `sort` is the sort key if it isn't the text; "" sorts last."""

    text: str
    sort: float | str | None = None
    kind: str = ""


@dataclass
class Line:
    cells: list[Cell]
    minor: bool = False


@dataclass
class PageTable:
    """Attributes: `packed` says that the page's script writes its rows, see `sweeper.report.packed_tables`; `note`
    stands below them."""

    header: list[str] = field(default_factory=list)
    rows: list[Line] = field(default_factory=list)
    packed: bool = False
    note: str = ""

    @property
    def minor(self) -> bool:
        return any(row.minor for row in self.rows)


def ranking_table(task: Task) -> PageTable:
    """The compared settings by rank, then the others. The result stands second, where a phone shows it.

    Where validation images chose the compared ones, they have a column, and put the others in order, too.
    """
    chosen = ["validation"] if task.chosen_by == "validation" else []
    header = ["final", "95 % interval, %", "rank", "group", "lr", "weight decay", BEST, "seeds, %"]
    table = PageTable([task.noun, *chosen, *header], note=describe_order(task))
    counts = [name for name in ("n_diverged", "n_failed", "n_pruned") if any(s.row[name] for s in task.settings)]
    table.header += [name.removeprefix("n_") for name in counts]
    others = [setting for setting in task.settings if setting not in task.compared]
    others.sort(key=lambda s: -(s.row[f"{VALIDATION if chosen else 'final_test_accuracy'}_mean"] or 0))
    for place, setting in enumerate([*task.compared, *others]):
        row, final = setting.row, setting.final()
        low, high = (row[f"final_test_accuracy_ci95_{end}"] for end in ("low", "high"))
        rank, letters = _place(task, setting)
        cells = [
            Cell(setting.label),
            *(Cell(accuracy(row, VALIDATION), sort_key(row[f"{VALIDATION}_mean"]), "number") for _ in chosen),
            Cell(accuracy(row, "final_test_accuracy"), sort_key(row["final_test_accuracy_mean"]), "number"),
            Cell("–" if low is None else f"{100 * low:.2f} to {100 * high:.2f}", sort_key(low), "number"),
            rank,
            letters,
            _number(row["lr"], "g"),
            _number(row["weight_decay"], "g"),
            Cell(accuracy(row, "best_test_accuracy"), sort_key(row["best_test_accuracy_mean"]), "number"),
            Cell(few([f"{100 * final[seed]:.2f}" for seed in sorted(final)], MOST_SEEDS), kind="seeds"),
            *(_number(row[name], "d") for name in counts),
        ]
        table.rows.append(Line(cells, minor=place >= len(task.compared)))
    return table


def pairs_table(task: Task, margin: float | None = None) -> PageTable:
    """Every pair of compared settings; none if settings were chosen on the test images."""
    table = PageTable(["pair", "difference", "95 % interval", "n", "verdict"])
    label = {setting.optimizer: setting.label for setting in task.compared}
    for d in task.comparison.differences if task.chosen_by != "test" else ():
        cells = [
            Cell(f"{label[d.a]} − {label[d.b]}"),
            Cell(points(d.difference), sort_key(d.difference), "number"),
            Cell(f"{points(d.low)} to {points(d.high)}" if d.has_interval else "–", sort_key(d.low), "number"),
            _number(d.n, "d"),
            Cell(describe_difference(task.comparison, d, margin), kind="wide"),
        ]
        table.rows.append(Line(cells))
    return table


def profile_table(found: Mapping[str, Any]) -> PageTable:
    """The scores and times of `profile_tables`."""
    header = [found["kind"], "score", *(f"{label}: {100 * target:g} %" for label, target in found["tasks"])]
    table = PageTable(header)
    for name, times, score in sorted(found["rows"], key=lambda row: -row[2]):
        steps = [Cell("not reached" if t == math.inf else f"{t:,.0f}", t, "number") for t in times]
        table.rows.append(Line([Cell(name), _number(score, ".2f"), *steps]))
    return table


def across_table(tasks: Sequence[Task]) -> tuple[PageTable, str]:
    """The interquartile mean of normalized scores and the probability of improvement over all tasks, and the numbers of
    runs behind them. One seed on a task tells nothing of chance: an optimizer that has so few has no interval, and no
    improvement over it has one.

    Empty with fewer than two tasks, see `on_all`, or two optimizers.
    """
    used, names = on_all(tasks)
    if len(used) < 2 or len(names) < 2:
        return PageTable(), ""
    scores_of = [{s.optimizer: list(s.scores().values()) for s in task.compared} for task in used]
    by_task = [min_max([of[name] for name in names]) for of in scores_of]
    kind = kind_of(s.arm for task in used for s in task.compared if s.optimizer in names)
    table = PageTable([kind, "IQM, normalized", "95 % interval", "improvement, %", "95 % interval", "runs"])
    lines = []
    single = any(len(scores) < 2 for methods in by_task for scores in methods)
    for k, name in enumerate(names):
        own = [scores[k] for scores in by_task]
        rest = [[score for other, values in enumerate(scores) if other != k for score in values] for scores in by_task]
        middle = interquartile_mean(own)
        low, high = stratified_interval(interquartile_mean, own)
        chance = probability_of_improvement(own, rest)
        worse, better = (math.nan, math.nan) if single else improvement_interval(own, rest)
        cells = [
            Cell(name),
            Cell("diverged" if middle == -math.inf else f"{middle:.2f}", middle, "number"),
            _interval(low, high, ".2f"),
            _number(100 * chance, ".0f"),
            _interval(100 * worse, 100 * better, ".0f"),
            _number(sum(map(len, own)), "d"),
        ]
        lines.append((middle, Line(cells)))
    table.rows = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    return table, f"{len(used)} tasks."


def speed_table(tasks: Sequence[Task]) -> tuple[PageTable, int]:
    """The table of speeds, and the number of finished runs that are left out since they shared their device."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    shared = 0
    for run in {run.path: run for task in tasks for run in task.runs()}.values():
        v = run.values
        if not run.status.finished:
            continue
        if v.get("shared_device") is not False:
            shared += 1
            continue
        device = run.device_name or v.get("device") or "unknown device"
        where = f"{device} {v.get('precision') or ''}".strip()
        key: tuple[str, ...] = (v["optimizer"], where, f"{v['dataset']}, {v['model']}, batch {v['batch_size']}")
        groups.setdefault(key, []).append(run)
    table = PageTable(["optimizer", "images/s", "s/epoch", "peak memory, MB", "runs", "device", "task"])
    for (optimizer, *place), runs in sorted(groups.items(), key=lambda item: (*item[0][1:], item[0][0])):
        epochs = [_ratio(run.values.get("train_seconds"), run.epochs_done) for run in runs]
        cells = [
            Cell(optimizer),
            _number(_median(run.values.get("images_per_second") for run in runs), ",.0f"),
            _number(_median(epochs), ".3g"),
            _number(_ratio(_median(run.values.get("peak_memory_bytes") for run in runs), 1e6), ",.0f"),
            _number(len(runs), "d"),
            *map(Cell, place),
        ]
        table.rows.append(Line(cells))
    return table, shared


def bad_table(runs: Sequence[Run]) -> PageTable:
    table = PageTable(["run", "status", "epochs", "reason"])
    for run in runs:
        status = run.status
        if status in (Status.DIVERGED, Status.PRUNED, Status.FAILED, Status.DAMAGED) or run.values.get("error"):
            told = "; ".join(filter(None, (run.values.get("error") or "no reason was recorded", run.mend)))
            reason = Cell(without_folders(told), kind="wide")
            cells = [
                Cell(run.values["run"]),
                Cell(status, kind=f"number {status}"),
                _number(run.epochs_done, "d"),
                reason,
            ]
            table.rows.append(Line(cells))
    return table


def differences_table(runs: Sequence[Run]) -> PageTable:
    readable = [run for run in runs if run.configuration]
    configs = [_compared_values(run) for run in readable]
    table = PageTable(["value", "of the runs"])
    for name in differing(configs):
        if name.startswith(CODE_OF) and len({config[name] for config in configs if name in config}) == 1:
            continue  # the others don't call it
        counts = Counter(config.get(name, "–") for config in configs)
        values = "; ".join(f"{value} ({count})" for value, count in sorted(counts.items(), key=_by_number))
        table.rows.append(Line([Cell(name), Cell(without_folders(values), kind="wide")]))
    return table


def runs_table(runs: Sequence[Run], commands: Mapping[str, str]) -> PageTable:
    table = PageTable(["run", "final, %", "best, %", "best epoch", "status", "seed", "training", "command"])
    for run in runs:
        v = run.values
        seconds = v.get("train_seconds")
        cells = [
            Cell(v["run"]),
            _percent(v.get("final_test_accuracy")),
            _percent(v.get("best_test_accuracy")),
            _number(v.get("best_epoch"), "d"),
            Cell(v["status"], kind=f"number {v['status']}"),
            _number(v.get("seed"), "d"),
            Cell("–", "") if seconds is None else Cell(duration(seconds), seconds, "number"),
            Cell(commands.get(run.path) or "–", kind="command"),
        ]
        table.rows.append(Line(cells))
    return table


# Columns that differ in every sweep, or are results.
_NO_DIFFERENCE = frozenset({"run", "status", "error", "versions_differ", "shared_device"})


def _compared_values(run: Run) -> dict[str, str]:
    left_out = _NO_DIFFERENCE | FROM_RESULT.keys()
    values = {name: text(value) for name, value in run.values.items() if name not in left_out and value is not None}
    return values | {name: value for name, value in run.conditions.items() if name not in values}


def _place(task: Task, setting: Setting) -> tuple[Cell, Cell]:
    """The range of ranks and the letters; a dash where no interval tells them."""
    name, order = setting.optimizer, task.comparison.order
    if not task.ranked or setting not in task.compared or name not in order.ranks:
        return Cell("–", "", "number"), Cell("–", "")
    low, high = order.ranks[name]
    return Cell(f"{low}–{high}" if low < high else f"{low}", low, "number"), Cell(order.letters[name])


def _percent(share: float | None) -> Cell:
    return _number(None if share is None else 100 * share, ".2f")


def _number(value: float | None, form: str) -> Cell:
    missing = value is None or math.isnan(value)
    return Cell("–", "", "number") if missing else Cell(format(value, form), value, "number")


def _interval(low: float, high: float, form: str) -> Cell:
    return Cell("–" if math.isnan(low) else f"{low:{form}} to {high:{form}}", sort_key(low), "number")


def sort_key(value: float | None) -> float | str:
    """Of a cell with a number, in nine digits, which every CPU computes alike; what is none sorts last."""
    return "" if value is None or math.isnan(value) else float(f"{value:.9g}")


def _ratio(a: float | None, b: float) -> float | None:
    return None if a is None or not b else a / b


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _by_number(item: tuple[str, Any]) -> tuple[int, float, str]:
    try:
        return 0, float(item[0]), ""
    except ValueError:
        return 1, 0.0, item[0]
