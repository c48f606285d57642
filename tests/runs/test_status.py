"""A status is its text wherever it is written, compared or looked up, on every Python."""

import csv
import io
import json
import pickle

import pandas
import pytest

from sweeper.runs.status import RECORDED, Status


@pytest.mark.parametrize("status", Status)
def test_it_is_its_text_in_every_format(status):
    text = status.value
    assert f"{status}" == f"{status:s}" == "%s" % status == "{}".format(status) == str(status) == text  # noqa: UP031, UP032
    assert f"{status:>14}" == f"{text:>14}" and " ".join([status]) == text
    for indent in (None, 1):
        assert json.dumps({status: status}, indent=indent) == json.dumps({text: text}, indent=indent)
    written = io.StringIO()
    csv.writer(written).writerow([status])
    assert written.getvalue() == f"{text}\r\n"
    assert pandas.DataFrame({"status": [status]}).to_csv() == pandas.DataFrame({"status": [text]}).to_csv()
    assert pickle.loads(pickle.dumps(status)) is status


def test_it_equals_its_text_and_is_found_by_it():
    assert Status.COMPLETED == "completed" and Status.COMPLETED in ("completed", "failed")
    assert {Status.COMPLETED: 1}["completed"] == {"completed": 1}[Status.COMPLETED] == 1
    assert ["completed", "failed"].count(Status.FAILED) == 1
    with pytest.raises(ValueError, match="unheard of"):
        Status("unheard of")


def test_finished_are_results_and_settled_is_whatever_has_come_to_its_end():
    assert {status.value for status in Status if status.finished} == {"completed", "diverged"}
    assert {status.value for status in Status if status.settled} == {"completed", "diverged", "failed", "pruned"}
    assert {status.value for status in Status if status.goes_on} == {"running", "interrupted"}
    assert all(status.settled != status.goes_on for status in RECORDED)
