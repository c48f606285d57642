"""Who loses less by wrong labels."""

import numpy as np
import pytest
from made_runs import change_record, make_run, name_arms
from scipy import stats

from sweeper.aggregate.command import main
from sweeper.aggregate.robustness import find_robustness
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results

RIGHT = {"sgd": (0.91, 0.90, 0.92, 0.915), "lion": (0.90, 0.905, 0.91, 0.9), "adam": (0.88, 0.89, 0.87, 0.88)}
WRONG = {"sgd": (0.80, 0.79, 0.81, 0.80), "lion": (0.85, 0.86, 0.85, 0.85), "adam": (0.83, 0.84, 0.83, 0.82)}


def noise(rate=0.2, name="symmetric"):
    return {"noise": {"name": name, "kind": name, "rate": rate, "seed": 0}}


CLEAN, NOISY = noise(0.0, "none"), noise()


def study(folder, optimizers=("sgd", "lion"), right=CLEAN, wrong=NOISY, **options):
    for optimizer in optimizers:
        for seed, accuracies in enumerate(zip(RIGHT[optimizer], WRONG[optimizer], strict=True)):
            for labels, accuracy in zip((right, wrong), accuracies, strict=True):
                make_run(folder, optimizer=optimizer, seed=seed, accuracy=accuracy, **labels, **options)
    return folder


def found(folder):
    return find_robustness(group_tasks(read_results([folder]).runs))


def test_the_losses_of_two_are_compared_seed_by_seed(tmp_path):
    """Against SciPy's paired t interval of the losses."""
    (one,) = found(study(tmp_path))
    lost = {name: np.subtract(RIGHT[name], WRONG[name]) for name in ("sgd", "lion")}
    assert {name: list(by_seed.values()) for name, by_seed in one.drops.items()} == {
        name: pytest.approx(list(drops)) for name, drops in lost.items()
    }
    interval = stats.ttest_rel(lost["sgd"], lost["lion"]).confidence_interval(0.95)
    (pair,) = one.comparison.differences
    assert (pair.a, pair.b) == ("lion", "sgd") and pair.difference == pytest.approx(
        lost["sgd"].mean() - lost["lion"].mean()
    )
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    assert one.headline() == "lion > sgd" and one.methods == ["lion", "sgd"]
    assert any(said.startswith("lion loses less than sgd by 6.") for said in one.describe())


def test_of_several_the_intervals_hold_together(tmp_path):
    """score ~ optimizer + seed on the losses, by least squares with dummies, and the studentized range."""
    (one,) = found(study(tmp_path, ("sgd", "lion", "adam")))
    lost = np.array([np.subtract(RIGHT[name], WRONG[name]) for name in ("sgd", "lion", "adam")])
    residuals = lost - lost.mean(axis=1, keepdims=True) - lost.mean(axis=0) + lost.mean()
    deviation = np.sqrt((residuals**2).sum() / 6)
    half = stats.studentized_range.ppf(0.95, 3, 6) * deviation / np.sqrt(4)
    pair = one.comparison.between("sgd", "lion")
    assert pair.high - pair.low == pytest.approx(2 * half, rel=1e-4)


def test_a_rate_of_0_is_right_labels_too_and_of_two_tasks_with_right_labels_that_with_more_seeds_counts(tmp_path):
    study(tmp_path / "rates", right=noise(0.0))
    assert [one.headline() for one in found(tmp_path / "rates")] == ["lion > sgd"]
    make_run(tmp_path / "rates", optimizer="sgd", seed=0, accuracy=0.5, **noise(0.0, "none"))
    assert [one.headline() for one in found(tmp_path / "rates")] == ["lion > sgd"]


def test_each_rate_is_told_by_itself(tmp_path):
    study(tmp_path)
    study(tmp_path, wrong=noise(0.4))
    labels = [one.label for one in found(tmp_path)]
    assert [label.rpartition(", ")[2] for label in labels] == [
        "20 % symmetric label noise",
        "40 % symmetric label noise",
    ]
    assert all(label.startswith("robustness, digits, cnn, ") for label in labels)


def test_what_differs_in_more_than_its_labels_is_not_told(tmp_path):
    study(tmp_path / "epochs", ("sgd",))
    make_run(tmp_path / "epochs", optimizer="lion", seed=0, epochs=9, **noise(0.0, "none"))
    make_run(tmp_path / "epochs", optimizer="lion", seed=0, **noise())
    assert found(tmp_path / "epochs") == []
    for seed in range(4):
        for labels, lr in ((noise(0.0, "none"), 0.1), (noise(), 0.3)):
            make_run(tmp_path / "settings", optimizer="sgd", seed=seed, accuracy=0.5 + seed / 100, **labels)
            make_run(tmp_path / "settings", optimizer="lion", seed=seed, accuracy=0.6, optimizer__lr=lr, **labels)
    assert found(tmp_path / "settings") == []


def test_where_runs_choose_their_settings_nothing_is_told(tmp_path):
    study(tmp_path)
    make_run(tmp_path, optimizer="sgd", seed=0, optimizer__lr=9.0, **noise())
    assert found(tmp_path) == []


def test_who_leads_without_an_interval_is_said_to_lose_less(tmp_path):
    study(tmp_path, ("lion", "adam"))
    (one,) = found(tmp_path)
    assert one.headline().startswith("No winner yet: adam loses less than lion by 0.")
    assert one.said() == one.headline() and "leads" not in " ".join(one.describe())
    assert "With 2 equal optimizers one loses less than the other in all 4 seeds in 12 % of studies." in one.describe()


def test_two_losses_may_differ_by_up_to_200_points(tmp_path):
    for labels, accuracies in ((CLEAN, (0.9, 0.9)), (NOISY, (0.1, 0.9))):
        for seed, accuracy in enumerate(accuracies):
            make_run(tmp_path, optimizer="sgd", seed=seed, accuracy=accuracy, **labels)
            make_run(tmp_path, optimizer="lion", seed=seed, accuracy=0.8, **labels)
    (one,) = found(tmp_path)
    assert (
        "lion and sgd: no significant difference (n = 2); a gap up to 200.00 points remains possible." in one.describe()
    )


def test_a_run_that_failed_before_its_images_were_read_hides_nothing(tmp_path):
    study(tmp_path)
    make_run(tmp_path, "failed", optimizer="sgd", seed=9, environment={"data_digest": None}, **CLEAN)
    assert [one.headline() for one in found(tmp_path)] == ["lion > sgd"]


def test_of_two_tasks_with_right_labels_one_with_a_single_common_optimizer_hides_nothing(tmp_path):
    study(tmp_path)
    for seed in range(4, 13):
        make_run(tmp_path, optimizer="sgd", seed=seed, accuracy=0.8, **NOISY)
    for seed in range(13):
        make_run(tmp_path, optimizer="sgd", seed=seed, accuracy=0.9, **noise(0.0))
    assert [one.headline() for one in found(tmp_path)] == ["lion > sgd"]


def test_who_diverged_in_a_seed_of_which_the_other_labels_are_missing_wins_no_pair(tmp_path):
    study(tmp_path)
    make_run(tmp_path, "diverged", optimizer="lion", seed=9, **NOISY)
    (one,) = found(tmp_path)
    assert "lion >" not in one.headline() and one.headline().endswith("lion diverged in 1 of 5 seeds")


def test_who_diverged_with_either_labels_loses_less_than_none(tmp_path):
    study(tmp_path, ("sgd", "lion", "adam"))
    make_run(tmp_path, "diverged", optimizer="lion", seed=3, **noise())
    (one,) = found(tmp_path)
    assert one.headline() == "adam > sgd; no other pair has a winner; lion diverged in 1 of 4 seeds"
    assert len(one.drops["lion"]) == 3


def test_arms_are_compared_too(tmp_path):
    """A comparison for each of the labels, as a sweep over arms and noise makes them."""
    for labels, lost in ((noise(0.0, "none"), 0.0), (noise(), 0.1)):
        runs = {
            arm: [
                make_run(
                    tmp_path,
                    seed=seed,
                    accuracy=0.9 + seed / 300 - lost * width / 16 * (1 + seed / 100),
                    schedule__warmup_fraction=width / 100,
                    **labels,
                )
                for seed in (1, 2, 3)
            ]
            for arm, width in (("short", 16), ("long", 32))
        }
        name_arms(tmp_path, **runs)
    (one,) = found(tmp_path)
    assert (one.clean.noun, one.headline()) == ("arm", "short > long")


def test_arms_with_unlike_labels_are_not_compared(tmp_path):
    for k, rates in enumerate(((0.0, 0.0), (0.2, 0.4))):
        arms = {
            arm: [
                make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9 - rate + seed * k / 300, **noise(rate))
                for seed in (1, 2, 3)
            ]
            for arm, optimizer, rate in zip(("one", "other"), ("sgd", "lion"), rates, strict=True)
        }
        name_arms(tmp_path, **arms)
    assert len(group_tasks(read_results([tmp_path]).runs)) == 2 and found(tmp_path) == []


def test_the_command_tells_it_below_its_tables(tmp_path, capsys):
    study(tmp_path)
    assert main([str(tmp_path)]) == 0
    told = (
        "robustness, digits, cnn, 20 % symmetric label noise: lion > sgd (> means: loses less)\n\n16 runs: 16 completed"
    )
    assert told in capsys.readouterr().out
    change_record(next(tmp_path.rglob("lion-symmetric-seed1*")), result__final_test_accuracy=0.2)
    assert main([str(tmp_path), "--margin", "80"]) == 0
    assert "20 % symmetric label noise: No significant difference" in capsys.readouterr().out
