"""What a capture needs. Graphs themselves are tested in test_graphs.py, on a GPU."""

import pytest
import torch

from sweeper.engine.capture import usual_algorithms


@pytest.mark.parametrize("searches", [False, True])
def test_cudnn_searches_only_where_it_is_worth_its_time(searches, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", searches)
    for search in (True, False):
        with usual_algorithms(search):
            assert torch.backends.cudnn.benchmark == (search and searches)
        assert torch.backends.cudnn.benchmark == searches
