"""The answer's picture says what the intervals say."""

import itertools

import pytest
from made_runs import change_record, make_run, make_study

from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import describe_task, headline_task
from sweeper.report.answers import MIDDLE, answer_card
from sweeper.report.charts import looks_of
from sweeper.report.tables import ranking_table
from sweeper.runs.results import read_results


def cards(outputs, margin=None):
    tasks = group_tasks(read_results([outputs]).runs)
    return tasks, [answer_card(task, looks_of(tasks), margin) for task in tasks]


def test_a_mean_is_in_the_band_exactly_if_no_interval_separates_it_from_the_first(tmp_path):
    """And a bar reaches the first's line exactly then."""
    make_study(tmp_path, epochs=30)
    tasks, found = cards(tmp_path)
    seen = set()
    for task, card in zip(tasks, found, strict=True):
        order, (first, *others) = task.comparison.order, card.rows
        assert first.bar is first.band is None and first.middle == card.first
        for row, setting in zip(others, task.compared[1:], strict=True):
            better = order.is_better(task.comparison.methods[0], setting.optimizer)
            left, width = row.band
            assert (left <= row.middle <= left + width) != better
            assert (row.bar[0] <= card.first <= row.bar[1]) != better
            seen.add(better)
    assert seen == {True, False}


def test_dots_mean_and_axis_are_one_scale(tmp_path):
    make_study(tmp_path, optimizers=("lion", "sgd"), rates=(0.0,), epochs=5)
    ((task,), (card,)) = cards(tmp_path)
    (a, first), (b, second) = ((place, float(text)) for place, text in card.ticks[:2])
    for row, setting in zip(card.rows, task.compared, strict=True):
        values = [100 * value for value in setting.final().values()]
        for dot, value in zip(row.dots, values, strict=True):
            assert dot.x == pytest.approx(a + (b - a) * (value - first) / (second - first), abs=0.02)
            assert f"{value:.2f} %" in dot.words
        assert row.mean.startswith(f"{sum(values) / 3:.2f} ± ")
    assert all(0 <= place <= 100 for place, _ in card.ticks)


def test_equal_seeds_are_all_seen(tmp_path):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed)
    (_, (card,)) = cards(tmp_path)
    assert len({(dot.x, dot.y) for dot in card.rows[0].dots}) == 3
    assert card.rows[0].dots[0].y == MIDDLE and card.first is None and card.ticks


def test_who_leads_stands_on_the_card_and_why_below_it(tmp_path):
    for seed, scatter in enumerate((0.0, 0.01, 0.02)):
        make_run(tmp_path, seed=seed, accuracy=0.9 + scatter)
        make_run(tmp_path, seed=seed, accuracy=0.905 - scatter, optimizer="lion")
    ((task,), (card,)) = cards(tmp_path)
    assert card.headline.replace("\u00a0", " ") == headline_task(task)
    assert card.headline.startswith("No winner yet: sgd leads lion by 1.50")
    assert [said.replace("\u00a0", " ") for said in card.why] == describe_task(task)[1:]
    assert len(card.pairs.rows) == 1


def test_the_margin_is_in_the_headline(tmp_path):
    for seed, accuracy in enumerate((0.9, 0.91, 0.92)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        make_run(tmp_path, seed=seed, accuracy=accuracy + 0.0001 * seed, optimizer="lion")
    (_, (card,)) = cards(tmp_path, 0.01)
    assert "equivalent within ±1 point: lion and sgd" in card.headline


def test_without_an_interval_there_is_no_band(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, optimizer="adam", accuracy=0.8)
    (_, (card,)) = cards(tmp_path)
    assert card.first is None and all(row.bar is row.band is None and row.middle for row in card.rows)
    make_run(tmp_path, optimizer="adam", optimizer__lr=1.0)  # two settings, chosen by test accuracy
    (_, (card,)) = cards(tmp_path)
    assert card.headline.startswith("No verdict") and not card.pairs.rows


def test_where_validation_chose_the_dashed_line_is_the_uppermosts(tmp_path):
    """By test accuracy another is the first."""
    for seed, (optimizer, rate) in itertools.product((1, 2, 3), (("sgd", 0.1), ("sgd", 0.2), ("lion", 0.1))):
        accuracy = (0.9 if optimizer == "lion" else 0.8) + 0.01 * seed * rate
        run = make_run(tmp_path, seed=seed, optimizer=optimizer, optimizer__lr=rate, accuracy=accuracy)
        change_record(run, result__final_val_accuracy=0.7 + rate + 0.05 * (optimizer == "lion"))
    ((task,), (card,)) = cards(tmp_path)
    assert [row.name for row in card.rows] == [task.compared[0].label, "lion"] and task.chosen_by == "validation"
    assert task.comparison.methods == ("lion", "sgd")
    assert card.first == card.rows[0].middle and card.rows[0].bar is None and card.rows[1].bar is not None


def test_who_diverged_says_so(tmp_path):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed, accuracy=0.9 + 0.001 * seed)
        make_run(tmp_path, "diverged", seed=seed, optimizer="lion")
        make_run(tmp_path, "diverged" if seed == 3 else "completed", seed=seed, optimizer="adam", accuracy=0.8)
    (_, (card,)) = cards(tmp_path)
    rows = {row.name: row for row in card.rows}
    assert rows["lion"].note == "3 of 3 diverged" and rows["lion"].middle is None and rows["lion"].mean == "–"
    assert rows["adam"].note == "1 of 3 diverged" and len(rows["adam"].dots) == 2 and rows["sgd"].note == ""


def test_without_a_completed_run_the_card_is_a_sentence(tmp_path):
    make_run(tmp_path, "failed")
    (_, (card,)) = cards(tmp_path)
    assert card.headline.startswith("No run has completed") and card.rows == card.ticks == []


def test_where_seeds_differ_card_and_ranking_are_in_the_models_order_and_say_so(tmp_path):
    """Seed 4 is easy, and lion, the better one, lacks it."""
    for seed, accuracy in ((1, 0.8), (2, 0.81), (3, 0.803), (4, 0.95)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        if seed < 4:
            make_run(tmp_path, seed=seed, accuracy=accuracy + 0.01 + seed / 1000, optimizer="lion")
    ((task,), (card,)) = cards(tmp_path)
    note = "Seeds differ: order by the model's estimates, not by the means shown."
    ranking = ranking_table(task)
    assert [row.name for row in card.rows] == [row.cells[0].text for row in ranking.rows] == ["lion", "sgd"]
    assert card.note == ranking.note == note
    make_run(tmp_path, seed=4, accuracy=0.9, optimizer="lion")
    ((task,), (card,)) = cards(tmp_path)
    assert card.note == ranking_table(task).note == ""
