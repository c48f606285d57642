"""What a run was computed on is read from its record, and nothing of a record that can't be read."""

import pytest
from made_runs import change_record, make_run

from sweeper.runs.compute import Compute, compute_of, read_compute
from sweeper.runs.record import Damaged


def test_it_is_what_the_record_says(tmp_path):
    known = {"device_name": "Some GPU", "started": "2025-01-31T12:00:00Z", "device_seconds": 6.5}
    run = make_run(tmp_path, environment=known)
    assert read_compute(str(run)) == Compute(**known)
    change_record(run, environment__device_seconds=-1)
    assert read_compute(str(run)) == Compute() == read_compute(str(tmp_path / "none"))


def test_old_records_lack_it_and_a_wrong_kind_is_damage():
    assert compute_of({}) == Compute()
    with pytest.raises(Damaged, match="device_name"):
        compute_of({"device_name": 3})
