"""What is no fault of a loader, and labels on which no run is trained."""

import json
import sys

import pytest

from sweeper.datasets import data as data_module
from sweeper.datasets.data import load_data, load_run_data
from sweeper.system.errors import BadInput
from tests.datasets.test_data import NONE


def test_a_loader_that_has_no_memory_is_not_wrong(tmp_path, monkeypatch):
    """Where the run shares the machine there may be room later."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_loader", raising=False)
    (tmp_path / "own_loader.py").write_text("def load(dataset): raise MemoryError\n")
    with pytest.raises(MemoryError):
        load_data({"name": "mine", "loader": "own_loader.load"}, NONE)


def test_labels_that_are_no_part_of_a_runs_identity_train_no_run(monkeypatch):
    """As of a file that couldn't be read when the run was composed, and can be now."""
    monkeypatch.setattr(data_module, "_load_data", json.loads)
    noise = {"kind": "human", "file": "labels.csv"}
    for known in ({"file": None}, noise | {"file_digest": "0123"}):
        assert load_run_data({"dataset": {}, "noise": known}) == [{}, known]
    with pytest.raises(BadInput, match=r"^noise\.file=labels\.csv: couldn't be read when this command began; start"):
        load_run_data({"dataset": {}, "noise": noise})
