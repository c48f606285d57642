"""Which arms are compared with each other, and that what sets their data apart is said."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput

SMALL = ("-m", "dataset=digits", "model=mlp", "device=cpu")
PLAIN, MINE = ("--arm", "plain: optimizer=sgd"), ("--arm", "mine: optimizer=lion optimizer.lr=1e-4,3e-4")


def sizes(grid) -> list[dict[str, int]]:
    return [{arm: len(runs) for arm, runs in arms.items()} for arms in grid.comparisons]


def test_arms_are_compared_at_each_value_of_the_axes_that_they_share():
    assert sizes(compose_grid([*SMALL, *PLAIN, *MINE, "seed=1,2"])) == [{"plain": 2, "mine": 4}]
    both = compose_grid([*SMALL, *PLAIN, *MINE, "seed=1,2", "noise=none,symmetric"])
    assert sizes(both) == [{"plain": 2, "mine": 4}] * 2
    assert compose_grid([*SMALL, "optimizer=sgd,lion"]).comparisons == []


OF_METHODS = {"optimizer=sgd,lion": 2, "optimizer.lr=0.1,0.3,0.5": 3, "lr_factor=1,3": 2, "decay_factor=1,3": 2}


@pytest.mark.parametrize("axis", OF_METHODS)
def test_optimizers_and_their_options_make_no_comparison_of_their_own(axis):
    """As a grid of `experiment=tune`, of which each arm's best setting is compared."""
    arms = ("--arm", "plain: schedule=cosine", "--arm", "mine: schedule=constant")
    runs = 2 * OF_METHODS[axis]
    assert sizes(compose_grid([*SMALL, *arms, axis, "seed=1,2"])) == [{"plain": runs, "mine": runs}]
    assert len(compose_grid([*SMALL, *arms, axis, "batch_size=32,64"]).comparisons) == 2


def test_an_axis_that_one_arm_sets_itself_is_no_shared_one():
    longer = ("--arm", "longer: optimizer=lion epochs=9")
    assert sizes(compose_grid([*SMALL, *PLAIN, *longer, "epochs=3,6"])) == [{"plain": 2, "longer": 1}]


def test_presets_are_compared_each_for_itself():
    grid = compose_grid([*SMALL, "experiment=quick,milestone", "seed=1", *PLAIN, "--arm", "mine: optimizer=lion"])
    assert sizes(grid) == [{"plain": 1, "mine": 1}] * 2


PRESETS = {  # and what is said of an arm that takes it
    "epochs: 9": "they train 20 and 9 epochs; write epochs= into the arm if it's meant",
    "defaults: [override /noise: symmetric]": "they have other labels; write noise= into the arm if it's meant",
    "dataset: {train_limit: 100}": "they have other data; write dataset= into the arm if it's meant",
}


@pytest.mark.parametrize("preset", PRESETS)
def test_arms_that_differ_in_data_without_saying_so_are_refused_in_a_line(tmp_path, preset):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{preset}\n")
    words = ("--config-dir", str(tmp_path), *SMALL, *PLAIN, "--arm", "mine: experiment=mine")
    with pytest.raises(BadInput) as refused:
        compose_grid([*words])
    assert str(refused.value) == f"arms 'plain' and 'mine': {PRESETS[preset]}"


def test_arms_may_differ_in_what_they_say():
    grid = compose_grid(
        [*SMALL, "seed=1", "--arm", "short: epochs=3", "--arm", "long: epochs=6 noise=symmetric noise.rate=0.1"]
    )
    assert sizes(grid) == [{"short": 1, "long": 1}]
