"""What wrong labels cost, on the page: a card with the answer, and a table of what each method loses."""

from sweeper.aggregate.conclusions import describe_difference, seeds_note
from sweeper.aggregate.labels import noise_words
from sweeper.aggregate.points import points
from sweeper.aggregate.robustness import Robustness
from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tables import accuracy
from sweeper.aggregate.tasks import Task, task_title
from sweeper.report.answers import Card, unbroken
from sweeper.report.tables import Cell, Line, PageTable, sort_key


def robustness_card(one: Robustness, margin: float | None = None) -> Card:
    said = one.describe(margin)[1:]
    pairs = losses_pairs_table(one, margin)
    sign = "; > means: loses less" if one.comparison.order.better else ""
    note = f"What wrong labels cost each {one.noisy.noun}{sign}. {_order_note(one)}".strip()
    return Card(
        f"robustness, {task_title(one.noisy)}",
        unbroken(one.headline(margin)),
        note,
        list(map(unbroken, said)),
        pairs,
        (),
        None,
        (),
    )


def losses_table(one: Robustness) -> PageTable:
    """A row for each method in both tasks, who loses least first. Accuracies are of all seeds, losses of those that
    completed both."""
    header = [one.noisy.noun, noise_words(one.clean.config["noise"]), noise_words(one.noisy.config["noise"])]
    table = PageTable([*header, "lost, points", "rank", "group", "lost by seed, points"], note=_order_note(one))
    order = one.comparison.order
    ranked = any(d.has_interval for d in one.comparison.differences)
    for method in one.methods:
        lost = list(one.drops[method].values())
        low, high = order.ranks[method]
        cells = [
            Cell(method),
            *(_accuracy(task, method) for task in (one.clean, one.noisy)),
            Cell(_lost_words(lost), mean(lost), "number"),
            Cell(f"{low}–{high}" if low < high else f"{low}", low, "number") if ranked else Cell("–", "", "number"),
            Cell(order.letters[method] if ranked else "–"),
            Cell(", ".join(points(drop, plus="") for drop in lost), kind="seeds"),
        ]
        table.rows.append(Line(cells))
    return table


def losses_pairs_table(one: Robustness, margin: float | None = None) -> PageTable:
    """Every pair: what the second loses more than the first."""
    table = PageTable(["pair, lost", "difference", "95 % interval", "n", "verdict"])
    for d in one.comparison.differences:
        cells = [
            Cell(f"{d.b} − {d.a}"),
            Cell(points(d.difference), sort_key(d.difference), "number"),
            Cell(f"{points(d.low)} to {points(d.high)}" if d.has_interval else "–", sort_key(d.low), "number"),
            Cell(f"{d.n}", d.n, "number"),
            Cell(describe_difference(one.comparison, d, margin), kind="wide"),
        ]
        table.rows.append(Line(cells))
    return table


def _order_note(one: Robustness) -> str:
    return seeds_note() if one.comparison.adjusted else ""


def _accuracy(task: Task, method: str) -> Cell:
    setting = task.setting_of(method)
    assert setting is not None, "only methods in both tasks are compared"
    return Cell(
        accuracy(setting.row, "final_test_accuracy"), sort_key(setting.row["final_test_accuracy_mean"]), "number"
    )


def _lost_words(drops: list[float]) -> str:
    scatter = f" ± {100 * standard_deviation(drops):.2f}" if len(drops) > 1 else ""
    return f"{points(mean(drops), plus='')}{scatter} (n = {len(drops)})"
