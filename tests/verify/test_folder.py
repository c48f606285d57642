"""Every run of a folder is read, copies and what can't be read too."""

import shutil

import pytest
from made_runs import make_run

from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.verify.folder import read_folder


def test_copies_are_merged_in_the_table_alone(tmp_path):
    run = make_run(tmp_path / "a")
    shutil.copytree(run, tmp_path / "b" / run.name)
    found, results = read_folder([str(tmp_path)])
    assert len(found) == 2 and len(results.runs) == 1
    assert found[0].content == found[1].content and len(found[0].rows) == 3
    assert (found[0].seed, found[0].digest, found[0].environment["device"]) == (1, "d" * 64, "cpu")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "metrics.csv has no row"),
        (b"epoch,step\n1,2\n3,4\n", "metrics.csv, line 2: isn't a row of metrics"),
        ("cut", "metrics.csv is cut off after 2 rows"),
        ("nan", "metrics.csv, line 4: test_accuracy is nan; it must be a number from 0 to 1"),
    ],
)
def test_what_is_wrong_with_metrics_is_said(tmp_path, content, told):
    file = make_run(tmp_path) / "metrics.csv"
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:-5], "nan": whole.replace(b",0.9,", b",nan,")}.get(content, content))
    ((one,), _) = read_folder([str(tmp_path)])
    assert one.fault == told


def test_a_damaged_record_and_a_run_that_has_just_begun_have_no_record(tmp_path):
    (make_run(tmp_path, seed=1) / "run.json").write_text("[]")
    (make_run(tmp_path, seed=2) / "run.json").unlink()
    found, _ = read_folder([str(tmp_path)])
    assert [(one.run.status, one.record, one.digest) for one in found] == [(Status.DAMAGED, {}, None)] * 2


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(BadInput, match="there are no runs in this folder"):
        read_folder([str(tmp_path)])
