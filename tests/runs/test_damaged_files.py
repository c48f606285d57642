"""What commands say of a folder with damaged files: one line for each, with what to do, and no traceback."""

import html

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.command import main as aggregate
from sweeper.choose.command import main as choose
from sweeper.report.command import main as report


def _newer(text: str) -> str:
    return text.replace('"schema_version": 1', '"schema_version": 99')


AGAIN = "; left out of means and verdicts; its own command trains it again"
BACK = "; its result counts; put the run's own file back, or train it again by rerun=true"
DAMAGE = {  # of a finished run: the file, its content by the one before, and what is said
    "cut off": ("run.json", lambda text: text[: len(text) // 2], f"run.json: not whole JSON{AGAIN}"),
    "garbage": ("run.json", lambda text: "\x80\x00\xff", f"run.json: not whole JSON{AGAIN}"),
    "empty": ("run.json", lambda text: "", f"run.json: not whole JSON{AGAIN}"),
    "a list": ("run.json", lambda text: "[1]", f"run.json: not a run's record{AGAIN}"),
    "a value": ("run.json", lambda text: text.replace('"cpu"', '"abacus"'), f"cuda, mps or cpu{AGAIN} by rerun=true"),
    "newer": ("run.json", _newer, "reads up to 1; update sweeper; left out of means and verdicts"),
    "metrics cut off": ("metrics.csv", lambda text: text[:-9], f"metrics.csv is cut off after 2 of 3 epochs{BACK}"),
    "metrics garbage": ("metrics.csv", lambda text: "\x80\x00", f" than the names of the metrics{BACK}"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_to_do_about_a_damaged_file_is_said_in_its_line_and_on_the_page(tmp_path, capsys, damage):
    name, change, said = DAMAGE[damage]
    make_run(tmp_path, seed=2)
    file = make_run(tmp_path) / name
    file.write_text(change(file.read_text()), encoding="latin-1")
    assert aggregate([str(tmp_path)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if said in one]
    assert file.parent.name in line and line.endswith(said)
    assert report([str(tmp_path)]) == 0
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert line.partition(f"{file.parent.name}: ")[2].removeprefix("run.json: environment.") in page
    assert capsys.readouterr().err == "" and choose([str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1


def test_a_folder_that_was_renamed_is_to_be_renamed_back(tmp_path, capsys):
    run = make_run(tmp_path)
    run.rename(run.with_name(f"{run.name[:-8]}deadbeef"))
    make_run(tmp_path, seed=2)
    assert aggregate([str(tmp_path)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "of another run" in one]
    assert run.name in line and line.endswith(
        "; left out of means and verdicts; rename the folder back, or move it away"
    )


def test_an_interrupted_run_with_damaged_metrics_goes_on_by_its_own_command(tmp_path, capsys):
    file = make_run(tmp_path, "interrupted") / "metrics.csv"
    file.write_text(file.read_text()[:-9])
    assert aggregate([str(tmp_path)]) == 0
    assert "metrics.csv: cut off after 2 whole rows; its own command goes on\n" in capsys.readouterr().out


def test_a_choice_tells_which_trials_it_could_not_read(tmp_path, capsys):
    for lr in (0.1, 0.2, 0.3):
        run = make_run(tmp_path, optimizer__lr=lr)
        change_record(run, result__final_val_accuracy=lr)
    (run / "run.json").write_text("{")
    assert choose([str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert told.count(f"{run}: run.json: not whole JSON{AGAIN}\n") == 1
