"""The first difference between two states is named; NaN equals NaN."""

import pytest
import torch

from sweeper.engine.difference import first_difference

NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, "a.1"),
        ({"a": 1}, {"b": 1}, "a"),
        (1, 1.0, ""),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64), ""),
        ({"a": {"b": torch.tensor(1.0)}}, {"a": {"b": torch.tensor(1.0 + 2**-23)}}, "a.b"),
        ([torch.tensor(NAN)], [torch.tensor(NAN)], None),
    ],
)
def test_the_first_difference_is_named(one, other, where):
    assert first_difference(one, other) == where
