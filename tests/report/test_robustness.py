"""What wrong labels cost, on the page."""

import markupsafe
import pytest
from made_runs import make_run

from sweeper.aggregate.robustness import find_robustness
from sweeper.aggregate.tasks import group_tasks
from sweeper.report.command import report
from sweeper.report.page import build_page
from sweeper.report.robustness import losses_pairs_table, losses_table, robustness_card
from sweeper.runs.results import read_results

NOISE = {"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}}


@pytest.fixture
def study(tmp_path):
    for seed, scatter in enumerate((0.0, 0.01, 0.005)):
        for optimizer, lost in (("sgd", 0.2 + scatter), ("lion", 0.1 - scatter / 2)):
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9)
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9 - lost, **NOISE)
    return tmp_path


def texts(table):
    return [[cell.text for cell in line.cells] for line in table.rows]


def read(outputs):
    (one,) = find_robustness(group_tasks(read_results([outputs]).runs))
    return one


def test_a_row_tells_both_accuracies_and_what_was_lost(study):
    table = losses_table(read(study))
    assert table.header[:4] == ["optimizer", "no label noise", "20 % symmetric label noise", "lost, points"]
    lion, sgd = texts(table)
    assert lion[:4] == ["lion", "90.00 ± 0.00 % (n = 3)", "80.25 ± 0.25 % (n = 3)", "9.75 ± 0.25 (n = 3)"]
    assert lion[4:] == ["1", "a", "10.00, 9.50, 9.75"] and sgd[3:6] == ["20.50 ± 0.50 (n = 3)", "2", "b"]


def test_a_pair_tells_what_the_second_loses_more(study):
    ((pair, difference, _, n, verdict),) = texts(losses_pairs_table(read(study)))
    assert (pair, difference, n) == ("sgd − lion", "+10.75", "3") and verdict.startswith(
        "lion loses less by 10.75 points"
    )


def test_its_card_stands_with_the_answers_and_its_table_on_the_page(study):
    card = robustness_card(read(study))
    assert card.headline == "lion > sgd" and card.note == "What wrong labels cost each optimizer; > means: loses less."
    assert card.label.endswith(", 3 epochs") and not card.rows
    report([str(study)], str(study), None)
    page = (study / "report.html").read_text(encoding="utf-8")
    verdict, _, below = page.partition('<section id="ranking">')
    assert "robustness, digits, cnn, 20\u00a0% symmetric" in verdict.replace("20 %", "20\u00a0%")
    assert "lost, points" in below.partition('<section id="robustness">')[2] and "what wrong labels cost (" not in page


def test_one_seed_gives_no_rank_and_a_page_without_wrong_labels_says_that_it_has_none(tmp_path):
    for optimizer in ("sgd", "lion"):
        make_run(tmp_path, optimizer=optimizer, accuracy=0.9)
    report([str(tmp_path)], str(tmp_path), None)
    assert "what wrong labels cost (" in (tmp_path / "report.html").read_text(encoding="utf-8")
    for optimizer in ("sgd", "lion"):
        make_run(tmp_path, optimizer=optimizer, accuracy=0.8, **NOISE)
    assert robustness_card(read(tmp_path)).note == "What wrong labels cost each optimizer."  # no sign to be explained
    assert [row[3:] for row in texts(losses_table(read(tmp_path)))] == [["10.00 (n = 1)", "–", "–", "10.00"]] * 2


def test_where_seeds_are_missing_it_says_that_the_order_is_not_by_the_means(study):
    make_run(study, optimizer="sgd", seed=7, accuracy=0.9)
    make_run(study, optimizer="sgd", seed=7, accuracy=0.4, **NOISE)
    note = "Seeds differ: order by the model's estimates, not by the means shown."
    assert losses_table(read(study)).note == note and robustness_card(read(study)).note.endswith(f"loses less. {note}")
    report([str(study)], str(study), None)
    assert (
        f'<p class="note">{markupsafe.escape(note)}</p>'
        in (study / "report.html").read_text().partition('id="robustness"')[2]
    )


def test_the_card_of_the_latest_sweep_stands_with_its_tasks(study):
    for optimizer in ("sgd", "lion"):
        make_run(study, optimizer=optimizer, epochs=9)
    results = read_results([study])
    tasks = group_tasks(results.runs)
    latest = [task for task in tasks if task.config["epochs"] == 3]
    curves = {run.path: {} for run in results.runs}
    page = build_page(results, tasks, curves, {}, latest=latest).decode()
    cards = page.split('<article class="card">')[1:]
    assert [("latest sweep" in card, "<h2>robustness" in card) for card in cards] == [
        (True, False),
        (True, False),
        (True, True),
        (False, False),
    ]
