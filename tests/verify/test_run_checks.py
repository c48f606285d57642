"""One run: what may be as it is, beside the forgeries of test_checks.py."""

import json

import pytest
from made_folder import LOADER, make_trial, rewrite
from made_runs import change_record, make_run

from sweeper.runs.identity import run_name
from sweeper.verify.folder import read_folder
from sweeper.verify.run_checks import check_run


def told(folder):
    ((one,), _) = read_folder([str(folder)])
    return [finding.what for finding in check_run(one)]


@pytest.mark.parametrize("status", ["completed", "diverged", "pruned"])
def test_a_run_that_ended_holds(tmp_path, status):
    make_run(tmp_path, status, dataset__loader=LOADER)
    assert told(tmp_path) == []


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_one_that_did_not_is_to_be_left_out(tmp_path, status):
    make_run(tmp_path, status)
    assert told(tmp_path) == [f"is {'interrupted' if status == 'running' else status}"]


def test_a_diverged_run_needs_no_finite_last_epoch(tmp_path):
    run = make_run(tmp_path, "diverged", epochs=30)
    assert told(tmp_path) == ["is diverged, but its loss is finite at its last epoch, 3 of 30"]
    rewrite(run, train_loss=(3, "nan"), test_accuracy=(3, ""))
    assert told(tmp_path) == []
    run = make_run(tmp_path / "bound", "diverged", epochs=30, divergence_loss=2.0)
    assert told(tmp_path / "bound") == []


def test_validation_images_have_an_accuracy_at_each_epoch(tmp_path):
    rewrite(make_trial(tmp_path, 0.1, 0.8), val_accuracy=(2, ""))
    assert told(tmp_path) == ["val_accuracy is missing or not finite at epoch 2"]


def test_a_name_is_held_against_the_rule_of_the_records_own_version(tmp_path):
    run = make_run(tmp_path, device__precision="fp32")
    change_record(run, identity_version=1)
    ((one,), _) = read_folder([str(tmp_path)])
    assert next(check_run(one)).what.startswith("run.json: of another run, ")
    config = json.loads((run / "run.json").read_text())["config"]
    run.rename(run.with_name(run_name(config, 1).rpartition("/")[2]))
    assert told(tmp_path) == []


def test_a_slow_run_of_an_earlier_version_gave_its_speed_to_a_tenth(tmp_path):
    run = make_run(tmp_path, dataset__loader=LOADER)
    rewrite(run, images_per_second=(1, "0.3"))
    rewrite(run, images_per_second=(2, "0.4"))
    rewrite(run, images_per_second=(3, "0.3"))
    change_record(run, result__images_per_second=0.3)
    assert told(tmp_path) == []
    change_record(run, result__images_per_second=0.4)
    assert told(tmp_path) == ["images_per_second is 0.4 in run.json and 0.33333 by metrics.csv"]
    change_record(run, result__images_per_second=0.34567)  # of this version, so not rounded to a tenth
    assert told(tmp_path) == ["images_per_second is 0.34567 in run.json and 0.33333 by metrics.csv"]
