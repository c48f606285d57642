"""What a search is put together from: bars, spaces, first trials, batches."""

from sweeper.config.grid import compose_grid
from sweeper.config.search_space import Dimension
from tests.train.search.test_carry_out import BASIC


def test_a_value_is_typed_within_its_interval_and_its_edge_is_told():
    factor = Dimension("lr_factor", "", 0.1, 10.0, log=True)
    assert [factor.typed(v) for v in (0.1, 0.123456, 9.99999)] == ["0.1", "0.1235", "10.0"]
    assert [factor.at_edge(v) for v in ("0.11", "1.0", "9.5")] == ["low", "", "high"]
    assert Dimension("optimizer.x", "", 1, 5, integer=True).typed(3) == "3"


def test_usual_values_are_those_without_the_search_and_none_if_one_lies_outside(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    fixed = ("optimizer=adamw", "weight_decay_factor=2", "optimizer.weight_decay=interval(0, 1)")
    for lr, first in (
        ("lr_factor=int(interval(1, 3))", "1"),
        ("lr_factor=interval(2, 3)", None),
    ):
        search = compose_grid([*BASIC, *fixed, lr, "optimizer.betas=[0.9,0.95],[0.9,0.999]"]).search
        usual = search.usual["adamw"]
        assert usual.get("lr_factor") == first and len(usual) in (0, 3)
        if first:
            assert usual["optimizer.betas"] == "[0.9,0.999]"
            assert search.trial("adamw", usual)[0].directory == search.bases["adamw"].directory
