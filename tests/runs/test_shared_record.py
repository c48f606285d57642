"""Records that several sweeps add to are refused, if damaged, by each command that would answer otherwise."""

import pytest
from made_runs import make_run

from sweeper.aggregate.command import main as aggregate
from sweeper.choose.command import main as choose
from sweeper.report.command import main as report
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.shared_record import read_shared, write_shared
from sweeper.verify.command import main as verify

COMMANDS = {"aggregate": aggregate, "report": report, "choose": choose, "verify": verify}


def test_it_is_read_back(tmp_path):
    assert read_shared(tmp_path / "there" / "arms.json", "it") is None
    write_shared(tmp_path / "there" / "arms.json", {"comparisons": []})
    assert read_shared(tmp_path / "there" / "arms.json", "it") == {"comparisons": []}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["arms.json", "confirmations.json"])
def test_a_damaged_one_ends_a_command_in_one_line(tmp_path, capsys, command, name):
    low, high = (make_run(tmp_path, optimizer__lr=lr, seed=1) for lr in (0.1, 1.0))
    record_arms(tmp_path, AskedRuns([low, high], [{"low": [low], "high": [high]}]))
    (tmp_path / name).write_text("{")
    assert COMMANDS[command]([str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert f"{name}: is damaged; put an earlier copy back, or move it away" in said and "\n" not in said
    assert (tmp_path / name).read_text() == "{" and not (tmp_path / "results.csv").exists()


def test_a_sweep_is_refused_before_anything_starts(refusal, tmp_path):
    write_shared(tmp_path / "outputs" / "arms.json", {"comparisons": {}})
    said = refusal("-m", "dataset=digits", "optimizer=sgd,adam", "outputs=outputs")
    assert said.startswith("outputs/arms.json: is damaged") and "which arms were compared" in said
