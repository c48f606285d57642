"""The page's tables, cell by cell."""

import math

from made_runs import change_record, make_run, make_study

from sweeper.aggregate.bootstrap import interquartile_mean, min_max
from sweeper.aggregate.improvement import probability_of_improvement
from sweeper.aggregate.tasks import group_tasks
from sweeper.report.tables import (
    across_table,
    differences_table,
    pairs_table,
    ranking_table,
    runs_table,
    sort_key,
    speed_table,
)
from sweeper.runs.results import read_results


def texts(table):
    return [[cell.text for cell in line.cells] for line in table.rows]


def read(outputs):
    runs = read_results([outputs]).runs
    return group_tasks(runs), runs


def test_the_ranking_shows_each_seed_and_what_was_not_chosen(tmp_path):
    for seed, accuracy in ((1, 0.9), (2, 0.8)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        make_run(tmp_path, seed=seed, accuracy=accuracy - 0.2, optimizer__lr=1.0)
    make_run(tmp_path, "failed", seed=3)
    ((task,), _) = read(tmp_path)
    table = ranking_table(task)
    assert table.header[-1] == "failed" and "diverged" not in table.header
    first, second = texts(table)
    assert [first[0], *first[3:5]] == ["sgd, lr 0.1", "–", "–"] and first[8:] == ["90.00, 80.00", "1"]
    assert second[3] == "–" and [line.minor for line in table.rows] == [False, True]


def test_a_search_is_ordered_by_validation_images(tmp_path):
    for lr, test, validation in ((0.1, 0.80, 0.85), (0.3, 0.90, 0.75), (0.03, 0.85, 0.80)):
        change_record(make_run(tmp_path, optimizer__lr=lr, accuracy=test), result__final_val_accuracy=validation)
    ((task,), _) = read(tmp_path)
    table = ranking_table(task)
    assert table.header[1:3] == ["validation", "final"]
    assert [row[1].split(" ")[0] for row in texts(table)] == ["85.00", "80.00", "75.00"]


def test_ranks_and_letters_follow_from_the_intervals(tmp_path):
    for optimizer, middle in (("sgd", 0.90), ("lion", 0.9001), ("adam", 0.80)):
        for seed, scatter in enumerate((0.001, -0.001, 0.0005 * (optimizer == "lion"), 0)):
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=middle + scatter)
    ((task,), _) = read(tmp_path)
    assert [[row[0], *row[3:5]] for row in texts(ranking_table(task))] == [
        ["lion", "1–2", "a"],
        ["sgd", "1–2", "a"],
        ["adam", "3", "b"],
    ]
    pair, difference, interval, n, verdict = texts(pairs_table(task))[1]
    assert (pair, difference, n) == ("lion − adam", "+10.02", "4")
    assert verdict.startswith("lion higher by 10.02 points (95 % CI 9.")
    assert interval.startswith("+9.") and " to +10." in interval


def test_the_hardest_task_does_not_decide_over_all_tasks(tmp_path):
    """lion leads by half a point on two easy tasks and loses by 20 on the hard one: raw accuracies would favour sgd."""
    for epochs, sgd, lion in ((3, 0.980, 0.985), (4, 0.975, 0.980), (5, 0.60, 0.40)):
        for seed in (1, 2, 3):
            make_run(tmp_path, optimizer="sgd", epochs=epochs, seed=seed, accuracy=sgd + seed / 1e5)
            make_run(tmp_path, optimizer="lion", epochs=epochs, seed=seed, accuracy=lion + seed / 1e5)
    tasks, _ = read(tmp_path)
    rows = texts(across_table(tasks)[0])
    assert [row[0] for row in rows] == ["lion", "sgd"] and float(rows[0][1]) > 0.5 > float(rows[1][1])


def test_what_was_chosen_on_the_test_images_is_not_compared_on_them(tmp_path):
    for optimizer in ("sgd", "adam"):
        make_run(tmp_path, optimizer=optimizer)
    ((task,), _) = read(tmp_path)
    assert len(pairs_table(task).rows) == 1
    make_run(tmp_path, optimizer="adam", optimizer__lr=1.0)
    ((task,), _) = read(tmp_path)
    assert pairs_table(task).rows == []


def test_over_all_tasks_the_functions_numbers_stand(tmp_path):
    make_study(tmp_path, optimizers=("sgd", "lion"), epochs=4)
    tasks, _ = read(tmp_path)
    table, note = across_table(tasks)
    final = [{s.optimizer: list(s.final().values()) for s in task.compared} for task in tasks]
    normalized = [min_max([scores["sgd"], scores["lion"]]) for scores in final]
    scores = {name: [task[k] for task in normalized] for k, name in enumerate(("sgd", "lion"))}
    rows = {row[0]: row for row in texts(table)}
    for name, other in (("sgd", "lion"), ("lion", "sgd")):
        assert rows[name][1] == f"{interquartile_mean(scores[name]):.2f}"
        assert rows[name][3] == f"{100 * probability_of_improvement(scores[name], scores[other]):.0f}"
    assert note == "2 tasks."


def test_a_diverged_run_is_the_worst_over_all_tasks(tmp_path):
    make_study(tmp_path, optimizers=("sgd", "lion"), seeds=(1,), epochs=3, target=None)
    make_run(tmp_path, "diverged", seed=2, optimizer="lion", optimizer__lr=0.001, epochs=3)
    make_run(tmp_path, "diverged", seed=3, optimizer="lion", optimizer__lr=0.001, epochs=3)
    tasks, _ = read(tmp_path)
    rows = {row[0]: row for row in texts(across_table(tasks)[0])}
    assert (rows["lion"][1], rows["lion"][5]) == ("diverged", "4") and rows["lion"][2] == "–"


def test_over_all_tasks_one_seed_has_no_interval(tmp_path):
    """A width of 0, as of 1.00 to 1.00, would say that chance has no part."""
    for epochs in (3, 4):
        for optimizer, accuracy in (("sgd", 0.9), ("adam", 0.89), ("lion", 0.88)):
            make_run(tmp_path, optimizer=optimizer, epochs=epochs, accuracy=accuracy + epochs / 1000)
    assert [[row[2], row[4]] for row in texts(across_table(read(tmp_path)[0])[0])] == [["–", "–"]] * 3
    for epochs in (3, 4):  # adam and lion have two seeds now; sgd, to whom both are compared, has one
        for optimizer, accuracy in (("adam", 0.893), ("lion", 0.885)):
            make_run(tmp_path, seed=2, optimizer=optimizer, epochs=epochs, accuracy=accuracy)
    table = across_table(read(tmp_path)[0])[0]
    sgd, adam, lion = texts(table)
    assert [sgd[2], sgd[4], adam[4], lion[4]] == ["–"] * 4 and " to " in adam[2] and " to " in lion[2]
    assert not any(isinstance(cell.sort, float) and math.isnan(cell.sort) for line in table.rows for cell in line.cells)


def test_one_task_has_no_statistics_over_tasks(tmp_path):
    make_study(tmp_path, rates=(0.0,), epochs=3)
    assert across_table(read(tmp_path)[0])[0].rows == []


def test_speed_leaves_out_who_shared_and_says_how_many(tmp_path):
    make_study(tmp_path, optimizers=("sgd",), rates=(0.0,), epochs=3)
    for file in list(tmp_path.rglob("run.json"))[:1]:
        file.write_text(file.read_text().replace('"shared_device": false', '"shared_device": true'))
    tasks, _ = read(tmp_path)
    table, shared = speed_table(tasks)
    assert texts(table) == [["sgd", "2,000", "0.5", "600", "2", "Some CPU fp32", "digits, cnn, batch 64"]]
    assert shared == 1


def test_differences_count_the_runs_of_each_value(tmp_path):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2, environment={"precision": "bf16"})
    make_run(tmp_path, seed=3, tag="a")
    _, runs = read(tmp_path)
    assert texts(differences_table(runs)) == [
        ["precision", "bf16 (1); fp32 (2)"],
        ["seed", "1 (1); 2 (1); 3 (1)"],
        ["tag", "a (1); – (2)"],
    ]


def test_an_option_of_the_recipe_is_a_difference_where_it_is_used(tmp_path):
    off = {"label_smoothing": None, "clip_grad_norm": None, "ema": None, "drop_last": None}
    make_run(tmp_path)  # of before there were such options
    make_run(tmp_path, "failed", **off)
    make_run(tmp_path, **{**off, "ema": 0.999, "drop_last": True})
    make_run(tmp_path, **{**off, "ema": 0.99})
    _, runs = read(tmp_path)
    assert len(runs) == 3 and {"ema", "drop_last"} <= runs[0].values.keys() | runs[1].values.keys()
    assert texts(differences_table(runs)) == [["drop_last", "true (1); – (2)"], ["ema", "0.99 (1); 0.999 (1); – (1)"]]


def test_code_of_the_users_own_is_a_difference_only_between_runs_that_call_it(tmp_path):
    make_run(tmp_path, optimizer__lr=0.1)
    make_run(tmp_path, optimizer__lr=0.2, environment={"code": {"my": "1", "net": "1"}})
    make_run(tmp_path, optimizer__lr=0.3, environment={"code": {"my": "2", "net": "1"}})
    _, runs = read(tmp_path)
    assert ["code of my", "1 (1); 2 (1); – (1)"] in texts(differences_table(runs))
    assert not any(name == "code of net" for name, _ in texts(differences_table(runs)))


def test_what_a_run_has_not_sorts_last(tmp_path):
    make_run(tmp_path, "failed")
    _, runs = read(tmp_path)
    (line,) = runs_table(runs, {}).rows
    assert (line.cells[1].text, line.cells[1].sort) == ("–", "") and line.cells[-1].text == "–"
    assert not any(isinstance(cell.sort, float) and math.isnan(cell.sort) for cell in line.cells)


def test_sort_keys_are_the_same_on_every_cpu():
    """Kernels of other CPUs round the last digits of a mean otherwise."""
    assert sort_key(0.1 + 0.2) == sort_key(0.3) and sort_key(0.9001) != sort_key(0.9002)
