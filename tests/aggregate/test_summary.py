"""Rows of a configuration over its seeds, against numbers worked out elsewhere."""

import numpy as np
import pytest
from made_runs import change_record, make_run
from scipy import stats

from sweeper.aggregate.command import aggregate
from sweeper.aggregate.summary import describe_mixture, summarize
from sweeper.runs.results import read_results

STATISTICS = ("mean", "std", "ci95_low", "ci95_high")
FIGURES = ("final_test_accuracy", "best_test_accuracy")


def rows(folder) -> list[dict]:
    return summarize(read_results([folder]).runs).rows


def test_the_table_has_the_promised_columns(tmp_path):
    make_run(tmp_path, schedule__power=1)
    make_run(tmp_path, schedule__power=2)
    assert ",".join(summarize(read_results([tmp_path]).runs).columns()) == (
        "dataset,model,optimizer,noise,noise_rate,lr,weight_decay,epochs,batch_size,n,n_diverged,n_failed,n_pruned,"
        "final_test_accuracy_mean,final_test_accuracy_std,final_test_accuracy_ci95_low,final_test_accuracy_ci95_high,"
        "best_test_accuracy_mean,best_test_accuracy_std,best_test_accuracy_ci95_low,best_test_accuracy_ci95_high,"
        "schedule.power,mixed"
    )


@pytest.mark.parametrize("accuracies", [[0.94, 0.95, 0.96], [0.1, 0.7], [0.9, 0.9, 0.9], [0.31, 0.32, 0.33, 0.5, 0.11]])
def test_figures_are_numpys_and_scipys(tmp_path, accuracies):
    for seed, accuracy in enumerate(accuracies):
        directory = make_run(tmp_path, seed=seed, accuracy=accuracy)
        change_record(directory, result__best_test_accuracy=accuracy**0.5)
    (row,) = rows(tmp_path)
    for figure, values in zip(FIGURES, (np.array(accuracies), np.array(accuracies) ** 0.5), strict=True):
        n = len(values)
        deviation = np.sqrt(((values - values.mean()) ** 2).sum() / (n - 1))
        half = stats.t.ppf(0.975, n - 1) * deviation / np.sqrt(n)
        expected = (values.mean(), deviation, values.mean() - half, values.mean() + half)
        assert [row[f"{figure}_{s}"] for s in STATISTICS] == pytest.approx(expected, abs=1e-12)
    assert row["n"] == len(accuracies)


@pytest.mark.parametrize("status", ["diverged", "failed", "running", "interrupted"])
def test_only_completed_runs_are_part_of_a_mean(tmp_path, status):
    make_run(tmp_path, seed=1, accuracy=0.8)
    make_run(tmp_path, seed=2, accuracy=0.9)
    without = rows(tmp_path)[0]
    directory = make_run(tmp_path, status, seed=3, accuracy=0.1)
    change_record(directory, result={"final_test_accuracy": 0.1, "best_test_accuracy": 0.1, "epochs_done": 3})
    with_it = rows(tmp_path)[0]
    counts = {"n_diverged": int(status == "diverged"), "n_failed": int(status == "failed")}
    assert with_it == without | counts
    assert with_it["n"] == 2 and with_it["final_test_accuracy_mean"] == pytest.approx(0.85)


def test_one_seed_has_a_mean_and_no_spread(tmp_path):
    make_run(tmp_path, accuracy=0.8)
    make_run(tmp_path, "diverged", seed=2)
    (row,) = rows(tmp_path)
    assert (row["n"], row["n_diverged"]) == (1, 1)
    assert [row[f"final_test_accuracy_{s}"] for s in STATISTICS] == [0.8, None, None, None]


def test_a_configuration_of_which_no_run_was_completed_is_a_row_without_figures(tmp_path):
    make_run(tmp_path, "failed", error="CUDA error")
    (row,) = rows(tmp_path)
    assert (row["n"], row["n_failed"]) == (0, 1)
    assert {row[f"{figure}_{s}"] for figure in FIGURES for s in STATISTICS} == {None}


def test_a_damaged_run_has_no_configuration_to_be_summarized_under(tmp_path):
    (make_run(tmp_path) / "run.json").write_text("")
    assert rows(tmp_path) == []


def test_a_row_is_a_configuration_and_seeds_are_not_part_of_it(tmp_path):
    for lr in (0.1, 0.2):
        for seed in (1, 2, 3):
            make_run(tmp_path, seed=seed, optimizer__lr=lr)
    assert [(row["lr"], row["n"]) for row in rows(tmp_path)] == [(0.1, 3), (0.2, 3)]


def test_what_does_not_determine_a_result_makes_no_row_of_its_own(tmp_path):
    make_run(tmp_path, seed=1, dataset__root="/data", device__kind="cpu", rerun=True, target_accuracy=0.9)
    make_run(tmp_path, seed=2, optimizer__weight_decay=0.0005, optimizer__fused=None)
    summary = summarize(read_results([tmp_path]).runs)
    assert [row["n"] for row in summary.rows] == [2]
    assert summary.differing == []


def test_a_precision_asked_for_by_name_is_a_row_of_its_own(tmp_path):
    for precision, used in (("auto", "fp32"), ("auto", "bf16"), ("fp32", "fp32"), ("bf16", "bf16")):
        make_run(tmp_path, seed=1 + (used == "bf16"), device__precision=precision, environment={"precision": used})
    summary = summarize(read_results([tmp_path]).runs)
    assert summary.differing == ["device.precision"]
    found = {row["device.precision"]: (row["n"], row["mixed"]) for row in summary.rows}
    assert found == {"auto": (2, "precision: bf16, fp32"), "fp32": (1, None), "bf16": (1, None)}


def test_where_a_label_file_lies_makes_no_column(tmp_path):
    for k, seed in enumerate((1, 2)):
        noise = {"noise__name": "human", "noise__kind": "human", "noise__file_digest": "0123"}
        make_run(tmp_path, seed=seed, noise__file=f"{k}/labels.txt", **noise)
    make_run(tmp_path, noise__file="2/labels.txt", **noise | {"noise__file_digest": "4567"})
    assert summarize(read_results([tmp_path]).runs).differing == ["noise.file_digest"]


def test_options_are_told_that_rows_of_the_same_choices_differ_in(tmp_path):
    """An option that goes with another optimizer's name is told by that name."""
    make_run(tmp_path, optimizer__momentum=0.9)
    make_run(tmp_path, optimizer__momentum=0.5)
    make_run(tmp_path, optimizer="lion", optimizer__betas=[0.9, 0.99])
    make_run(tmp_path, optimizer="lion", optimizer__betas=[0.9, 0.99], schedule__name="constant", tag="x")
    summary = summarize(read_results([tmp_path]).runs)
    assert summary.differing == ["optimizer.momentum", "schedule.name", "tag"]
    cells = [tuple(row[name] for name in ("optimizer", *summary.differing)) for row in summary.rows]
    assert len(set(cells)) == 4
    assert ("sgd", 0.9, "cosine", None) in cells and ("lion", None, "constant", "x") in cells


def test_true_is_not_1(tmp_path):
    make_run(tmp_path, optimizer__nesterov=True)
    make_run(tmp_path, optimizer__nesterov=1)
    assert summarize(read_results([tmp_path]).runs).differing == ["optimizer.nesterov"]


def test_the_best_stands_first_among_those_of_one_data_set_model_and_noise(tmp_path):
    for optimizer, accuracy in (("adam", 0.7), ("lion", 0.9), ("sgd", 0.8)):
        make_run(tmp_path, optimizer=optimizer, accuracy=accuracy)
    make_run(tmp_path, "failed", optimizer="adagrad")
    make_run(tmp_path, optimizer="muon", dataset__name="cifar10", accuracy=0.1)
    make_run(tmp_path, optimizer="muon", noise__name="symmetric", noise__rate=0.2, accuracy=0.95)
    assert [row["optimizer"] for row in rows(tmp_path)] == ["muon", "lion", "sgd", "adam", "adagrad", "muon"]


def test_runs_made_otherwise_are_told_in_their_row(tmp_path):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2, environment={"device": "cuda", "precision": "bf16"})
    make_run(tmp_path, seed=1, optimizer="lion")
    mixed = {row["optimizer"]: row["mixed"] for row in rows(tmp_path)}
    assert mixed == {"sgd": "device: cpu, cuda; precision: bf16, fp32", "lion": None}


def test_runs_of_other_code_of_the_users_own_are_told(tmp_path):
    """Those that don't call it, or recorded none, say nothing; one that went on with other code has both."""
    for seed, digits in ((1, "1"), (2, "2"), (3, None)):
        make_run(tmp_path, optimizer="my", seed=seed, environment={"code": {"myopt": digits}} if digits else None)
    make_run(tmp_path, optimizer="other", environment={"code": {"otheropt": "5"}})
    make_run(tmp_path, optimizer="sgd")
    told = {row["optimizer"]: row["mixed"] for row in rows(tmp_path)}
    assert told == {"my": "code of myopt: 1, 2", "other": None, "sgd": None}
    earlier = [{"code": {"otheropt": "4"}, "until_epoch": 2}]
    make_run(tmp_path, optimizer="other", seed=2, environment={"code": {"otheropt": "5"}, "earlier": earlier})
    assert {row["optimizer"]: row["mixed"] for row in rows(tmp_path)}["other"] == "code of otheropt: 4 then 5, 5"


def test_only_finished_runs_are_compared_in_how_they_were_made(tmp_path):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, "failed", seed=2, environment={"device": "cuda"})
    assert describe_mixture(read_results([tmp_path]).runs) == ""


def test_noise_of_unknown_rate_and_noise_of_a_rate_stand_in_one_table(tmp_path):
    make_run(tmp_path, noise__name="human", noise__kind="human")
    make_run(tmp_path, noise__name="human", noise__kind="symmetric", noise__rate=0.2)
    assert [row["noise_rate"] for row in rows(tmp_path)] == [None, 0.2]


def test_two_data_sets_side_by_side_are_no_mixture_but_two_contents_of_one_are(tmp_path):
    first = {"data_digest": "a" * 64}
    make_run(tmp_path, environment=first)
    make_run(tmp_path, dataset__name="mnist", environment={"data_digest": "b" * 64})
    assert describe_mixture(read_results([tmp_path]).runs) == ""
    make_run(tmp_path, seed=2, environment={"data_digest": "c" * 64})
    assert describe_mixture(read_results([tmp_path]).runs) == "data of digits: aaaaaaaa, cccccccc"


def test_where_seeds_differ_the_rows_are_in_the_order_of_the_models_estimates(tmp_path):
    """Seed 3 is easy, and lion, the better one, lacks it. sam has no completed run."""
    for seed, accuracy in ((1, 0.8), (2, 0.81), (3, 0.95)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        if seed < 3:
            make_run(tmp_path, seed=seed, accuracy=accuracy + 0.01, optimizer="lion")
    make_run(tmp_path, "diverged", optimizer="sam")
    (block,) = summarize(read_results([tmp_path]).runs).blocks
    assert [row["optimizer"] for row in block.rows] == ["lion", "sgd", "sam"] and block.adjusted
    make_run(tmp_path, seed=3, accuracy=0.7, optimizer="lion")
    (block,) = summarize(read_results([tmp_path]).runs).blocks
    assert [row["optimizer"] for row in block.rows] == ["sgd", "lion", "sam"] and not block.adjusted


def test_what_differs_between_rows_alone_is_looked_for_in_none(tmp_path):
    for optimizer, device in (("adam", "cpu"), ("sgd", "cuda")):
        make_run(tmp_path, optimizer=optimizer, environment={"device": device})
    told = aggregate([str(tmp_path)], None, ["csv"])
    assert "\nthese runs were not all made alike (device: cpu, cuda); those of one row of summary.csv were\n" in told
