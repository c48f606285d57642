"""The files that commands leave in a folder of runs are those that one module names."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate import command as aggregate
from sweeper.choose import command as choose
from sweeper.report import command as report
from sweeper.runs import layout
from sweeper.runs.sweep_files import tidy_folder


@pytest.fixture
def outputs(tmp_path):
    for lr in (0.1, 0.2):
        run = make_run(tmp_path, optimizer__lr=lr)
        change_record(run, result__final_val_accuracy=lr, result__best_val_accuracy=lr)
    return tmp_path


def test_commands_write_the_files_that_are_named_here_and_no_others(outputs):
    assert aggregate.main([str(outputs), "--format", ",".join(layout.FORMATS)]) == 0
    assert report.main([str(outputs)]) == 0
    assert choose.main([str(outputs)]) == 0
    assert {path.name for path in outputs.iterdir() if path.is_file()} == set(layout.TABLE_FILES) - {
        layout.DECISION_FILE
    }


@pytest.mark.parametrize("name", (*layout.TABLE_FILES, layout.CONFIRMATIONS_FILE))
def test_what_a_killed_command_left_of_each_is_removed(outputs, monkeypatch, name):
    monkeypatch.setattr("sweeper.runs.sweep_files.LONG_AGO", 0.0)
    left = outputs / f".{name}-0123abcd"
    left.touch()
    tidy_folder(outputs)
    assert not left.exists()
