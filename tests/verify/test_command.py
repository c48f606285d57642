"""The command line: what a stranger's folder is told, and a sample that is trained again here."""

import json

import pytest
from conftest import REPOSITORY, TINY, run_module
from json_schema import check
from made_folder import make_folder, rename_content
from made_runs import change_record

from sweeper.verify.command import main


def test_an_honest_folder_is_0_and_a_forged_one_1(tmp_path, capsys):
    runs = make_folder(tmp_path)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("note: ") and out.endswith("\n6 runs: all holds\n")
    change_record(runs["sgd1"], result__best_test_accuracy=0.95)
    assert main([str(tmp_path)]) == 1
    *_, problem, end = capsys.readouterr().out.splitlines()
    assert problem.startswith(
        f"problem: {runs['sgd1']}: best_test_accuracy is 0.95 in run.json and 0.91 by metrics.csv;"
    )
    assert end == "6 runs: 1 problem"
    assert main([str(tmp_path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    check("verify", document)
    assert (document["holds"], document["runs"], document["sample"]) == (False, 6, None)
    assert [one["where"] for one in document["findings"] if one["problem"]] == [str(runs["sgd1"])]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["--sample", "x"], "--sample x: must be a number of runs"),
        (["--sample", "-1"], "--sample -1: must be a number of runs"),
        (["--into", "again"], "--into: is for the runs of --sample N"),
        (["--key", "k"], "--key: is for the runs of --sample N"),
        (["runs", "--sample", "1", "--into", "runs/again"], "--into runs/again: shares its place with runs"),
        (["runs", "--sample", "1", "--into", "${a}"], "--into ${a}: Hydra would replace the ${…} in its path; choose"),
        (["runs", "epochs=3"], "epochs=3: only device and dataset.root are set here"),
        (["--nope"], "unrecognized arguments: --nope"),
    ],
)
def test_a_wrong_command_is_2_and_a_line(tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "runs")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {told}") and err.count("\n") == 1


@pytest.mark.parametrize("folder", ["docs/reproduction/runs", "docs/study/cifar10/runs", "docs/study/cifar10/tuning"])
def test_the_published_runs_hold(monkeypatch, folder):
    monkeypatch.chdir(REPOSITORY)
    assert main([folder]) == 0


def test_the_control_of_the_study_has_other_values_than_its_search_chose_and_repeats_are_the_same_runs(
    monkeypatch, capsys
):
    """On purpose; but who lays all of them into one folder is told."""
    monkeypatch.chdir(REPOSITORY)
    assert main(["docs/study/cifar10"]) == 1
    problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem: ")]
    control = [line for line in problems if "docs/study/cifar10/published/runs/" in line]
    assert len(control) == 5 and all("the search's validation images chose" in line for line in control)
    assert all("docs/study/cifar10/again/" in line for line in problems if line not in control)


@pytest.mark.slow
def test_a_raised_accuracy_does_not_agree_with_a_run_trained_again_and_the_true_one_does(tmp_path, monkeypatch, capsys):
    """On the machine that trained it, a run is equal to the bit. The same command goes on with its draw and runs."""
    # Records name no commit, so it doesn't matter whether this clone has uncommitted changes.
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert run_module("train", *TINY, "model=mlp", "optimizer=sgd", "record_host=false", cwd=tmp_path).returncode == 0
    (run,) = (tmp_path / "outputs").glob("*/sgd-seed1-*")
    whole = {name: (run / name).read_text() for name in ("run.json", "metrics.csv")}
    accuracy = json.loads(whole["run.json"])["result"]["final_test_accuracy"]
    (run / "metrics.csv").write_text(whole["metrics.csv"].replace(f",{accuracy},", ",0.99,"))
    change_record(run, result__final_test_accuracy=0.99, result__best_test_accuracy=0.99, result__best_epoch=2)
    rename_content(run)
    assert main(["outputs"]) == 0, "consistent, so nothing is seen without training"
    capsys.readouterr()
    asked = ["outputs", "--sample", "1", "--into", "again", "device=cpu"]
    done = run_module("verify", *asked, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    sample, answer, end = done.stdout.splitlines()[-3:]
    assert sample.startswith("sample: 1 run, drawn by --key ") and end == "1 run: 1 problem"
    assert answer.startswith(f"doesn't agree: {run.relative_to(tmp_path)}: 99.00 % recorded, ")
    assert answer.endswith("device, versions and commit are the same, so it must be equal to the bit")
    for name, text in whole.items():
        (run / name).write_text(text)
    assert main(asked) == 0
    same, answer, end = capsys.readouterr().out.splitlines()[-3:]
    assert same == sample and end == "1 run: all holds"
    assert answer.startswith(f"agrees: {run.relative_to(tmp_path)}: ") and answer.endswith(" here, equal to the bit")
