"""The paragraph on the setup says what the runs recorded, and no more."""

import pytest
from latex_reader import check_latex
from made_runs import change_record, make_run

from sweeper.aggregate.experimental_setup import describe_setup
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results


def described(folder):
    tasks = group_tasks(read_results([folder]).runs)
    return describe_setup(tasks, tasks)


def test_settings_seeds_compute_and_versions(tmp_path):
    for seed in (1, 2):
        there = {"device": "cuda", "device_name": "Some_GPU", "device_seconds": 5400.0}
        make_run(tmp_path, optimizer="adam", seed=seed, environment=there)
        make_run(tmp_path, optimizer="my_own", seed=seed, environment={"device_name": "Some CPU"})
    text = described(tmp_path)
    check_latex(text)
    for words in (
        r"adam~\cite{adam} and my\_own on digits, cnn, no label noise, 3 epochs.",
        "Seeds: 1 and 2;",
        "Batch size: 64. Schedule: cosine.",
        "adam 0.1, weight decay 0.0005;",
        r"2 runs took 3.0 GPU hours on Some\_GPU",
        "The time of 2 runs on Some CPU isn't recorded.",
        "Precision: fp32.",
        "Software: python 3.11.7, sweeper 0.1.0, torch 2.8.0.",
        "% These runs hold no search",
    ):
        assert words in text


def test_rates_that_differ_are_told_apart(tmp_path):
    for lr in (0.10000001, 0.10000002):
        make_run(tmp_path, optimizer__lr=lr, epochs=round(lr * 1e8) % 10)
    text = described(tmp_path)
    assert "sgd 0.10000001, weight decay 0.0005 (" in text and "; sgd 0.10000002, weight decay 0.0005 (" in text


def test_seeds_that_not_every_optimizer_has_are_not_said_of_all(tmp_path):
    for optimizer, seeds in (("sgd", (1, 2)), ("lion", (2, 3))):
        for seed in seeds:
            make_run(tmp_path, optimizer=optimizer, seed=seed)
    assert "Seeds: 1, 2 and 3, though not every optimizer has each; a seed gives" in described(tmp_path)


def test_a_search_has_its_space_and_budget(tmp_path):
    dataset = {"name": "digits", "loader": "sweeper.datasets.digits", "validation_fraction": 0.1}
    for k, lr in enumerate((0.01, 0.1, 1.0)):
        change_record(make_run(tmp_path, dataset=dataset, optimizer__lr=lr), result__final_val_accuracy=0.7 + 0.1 * k)
    text = described(tmp_path)
    check_latex(text)
    assert r"10 \% of the training images, held out" in text and "sgd: lr 0.01, 0.1, 1 (3 trials, 9 epochs)" in text
    assert "no search" not in text


@pytest.mark.parametrize(("decays", "words"), [(True, "are decayed, too."), (False, "are not decayed.")])
def test_whether_norms_and_biases_are_decayed(tmp_path, decays, words):
    make_run(tmp_path, decay_norms_and_biases=decays)
    assert f"Norms and biases {words}" in described(tmp_path)


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_without_results_it_is_still_whole(tmp_path, status):
    make_run(tmp_path, status, error="x")
    check_latex(described(tmp_path))
