"""The command line of a decision: arms are trained look by look, it ends when all is decided, and it goes on."""

import json
import os
import subprocess
import sys
import time
from html import escape

import psutil
import pytest
from conftest import run_module
from forked_children import run_all_forked
from json_schema import check
from made_runs import change_record, make_field

from sweeper.config.grid import compose_grid
from sweeper.decide.command import main
from sweeper.decide.judge import judge
from sweeper.runs.arms import read_arms

RUN = ("dataset=digits", "model=mlp", "epochs=1", "device=cpu", "device.threads=1", "hydra/launcher=basic")
ARMS = {
    "usual": "optimizer=sgd optimizer.lr=0.1",
    "like": "optimizer=sgd optimizer.lr=0.1001",
    "slow": "optimizer=sgd optimizer.lr=0.001",
    "broken": "optimizer=sgd optimizer.lr=1e30",
}
FLAGS = [word for name, words in ARMS.items() for word in ("--arm", f"{name}: {words}")]


@pytest.mark.slow
def test_arms_are_decided_and_a_killed_command_ends_its_sweep_and_goes_on(tmp_path):
    """Two arms that are almost alike, one that is worse, and one that diverges."""
    asked = [*FLAGS, *RUN, "--looks", "3,4", "--margin", "30"]
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "sweeper.decide", *asked]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not any(tmp_path.glob("outputs/*/*-seed4-*/metrics.csv")):  # of the second look
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.01)
        (sweep,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        _gone, alive = psutil.wait_procs([sweep], timeout=20)
        assert not alive, "the sweep outlived its command"
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("outputs/*/*/run.json")]
    assert "running" not in statuses
    (first,) = json.loads((tmp_path / "outputs" / "decision.json").read_text())["looks"]
    done = run_all_forked("decide", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rule: looks at 3, 4 seeds; error of all looks and pairs together at most 5 %, equi")
    document = json.loads((tmp_path / "outputs" / "decision.json").read_text())
    check("decision", document)
    verdicts = {frozenset((v["a"], v["b"])): v["verdict"] for look in document["looks"] for v in look["pairs"]}
    assert verdicts[frozenset(("usual", "like"))] == "equivalent"
    assert verdicts[frozenset(("usual", "slow"))] == verdicts[frozenset(("like", "slow"))] == "different"
    assert verdicts[frozenset(("usual", "broken"))] == "open" and document["ended"]
    assert document["looks"][0]["diverged"] == {"broken": 3}
    assert document["answer"] == done.stdout.splitlines()[-1] and document["looks"][0] == first
    again = run_all_forked("decide", *asked, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == document["answer"]
    other = run_all_forked("decide", *asked[:-2], cwd=tmp_path)
    assert other.returncode == 2 and "was begun by another rule" in other.stderr and other.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_newcomer_is_compared_with_a_field(tmp_path):
    """Only the newcomer is trained, with the field's recipe and seeds; the field's runs are of another device."""
    from sweeper.datasets.data import load_run_data

    task = (*RUN[:3], "optimizer=adam,lamb", "seed=2,4", "batch_size=100")
    data = load_run_data(compose_grid(["-m", *task]).cells[0].config).digest
    before = make_field(tmp_path / "field", *task, data=data, device="cuda", precision="bf16")
    asked = ("against=field", "optimizer=sgd", "optimizer.lr=0.0001", *RUN[3:], "--level", "0.2")
    done = run_module("decide", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rule, field, *told, answer = done.stdout.splitlines()
    assert rule == "rule: looks at 2 seeds; error of all looks and pairs together at most 20 %"
    assert field == "against=field: digits, mlp, no label noise, 1 epoch; adam, lamb; seeds 2, 4"
    assert told[0] == "after 2 seeds:" and told[-1] == "page: outputs/report.html"
    assert answer.startswith(
        "Decided after 2 seeds: adam > sgd, lamb > sgd. Not made alike: device cuda in the field, "
    )
    records = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/run.json")]
    assert sorted(record["config"]["seed"] for record in records) == [2, 4]
    assert {record["config"]["batch_size"] for record in records} == {100}
    assert len([*tmp_path.glob("field/*/*/run.json")]) == len(before) == 4
    assert escape(answer.partition(".")[0]) in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")


def test_a_command_that_was_stopped_before_tables_and_page_makes_them_when_given_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd,lion", "seed=1,2")
    asked = ["--arm", "sgd: optimizer=sgd", "--arm", "lion: optimizer=lion", *RUN, "--looks", "2"]
    page, table = tmp_path / "outputs" / "report.html", tmp_path / "outputs" / "results.csv"
    assert main(asked) == 0 and "page: outputs/report.html" in capsys.readouterr().out
    assert table.read_text().count("\n") == 5  # a line a run
    assert main(asked) == 0 and "page: " not in capsys.readouterr().out
    page.unlink()
    assert main(asked) == 0 and "page: outputs/report.html" in capsys.readouterr().out and page.exists()
    page.write_text("of the sweep, before the look")
    os.utime(page, ns=(0, 0))
    assert main(asked) == 0
    answer = capsys.readouterr().out.splitlines()[-1]
    assert escape(answer.partition(".")[0]) in page.read_text(encoding="utf-8")
    os.utime(tmp_path / "outputs" / "arms.json", ns=(2 * time.time_ns(), 2 * time.time_ns()))  # it didn't fit before
    assert main(asked) == 0 and "page: outputs/report.html" in capsys.readouterr().out
    page.unlink()
    page.mkdir()  # no page can be written
    os.utime(page, ns=(0, 0))
    assert main(asked) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == answer and told.err.startswith("outputs/report.html: can't be written: ")


def test_arms_that_can_not_be_recorded_are_told_with_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.runs.arms._told", set())
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd,lion", "seed=1,2")
    asked = ["--arm", "sgd: optimizer=sgd", "--arm", "lion: optimizer=lion", *RUN, "--looks", "2"]

    def refuse(path, content):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as full:
        full.setattr("sweeper.runs.arms.write_shared", refuse)
        assert main(asked) == 1
    told = capsys.readouterr()
    assert told.err.startswith("outputs/arms.json: can't be written, ") and told.err.count("\n") == 1
    answer = told.out.splitlines()[-1]
    assert main(asked) == 0 and capsys.readouterr().out.splitlines()[-1] == answer
    assert (tmp_path / "outputs" / "arms.json").exists()


def test_a_run_that_failed_is_told_with_the_answer_and_page_and_tables_are_made(tmp_path, monkeypatch, capsys):
    """Given again, too: it isn't tried again after its look, and trains nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda *_: "")

    def train(command):
        made = make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1,0.1001", "seed=1,2,3")
        lost = next(run for run in made if "-seed2-" in run.name)
        change_record(lost, status="failed", result=None, error="process 7 ended in the middle of it (SIGKILL)")
        return 1

    monkeypatch.setattr("sweeper.decide.command.run", train)
    asked = [*FLAGS[:4], *RUN, "--looks", "3", "--most-seeds", "3"]
    assert main(asked) == 1
    *told, answer = capsys.readouterr().out.splitlines()
    assert told[-1] == "page: outputs/report.html" and answer.endswith(
        "Left out, since they failed: usual with seed 2."
    )
    assert main(asked) == 0 and capsys.readouterr().out.splitlines()[-1] == answer
    assert json.loads((tmp_path / "outputs" / "decision.json").read_text())["answer"] == answer


def test_other_images_than_those_of_earlier_runs_are_refused_before_training(tmp_path, monkeypatch, capsys):
    """The made runs are of no images, those here are the digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.decide.command.run", lambda command: pytest.fail(f"it trains {command}"))
    asked = [*FLAGS[:2], "--arm", "other: optimizer=lion", *RUN, "--looks", "2", "--most-seeds", "2"]
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1", "seed=1,2")
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: the images here are others (hash ") and told.count("\n") == 1
    assert "than those of usual with seeds 1, 2 (hash dddddddd)" in told


def test_a_field_with_runs_that_were_trained_again_says_so_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("field", "field/again"):
        make_field(tmp_path / folder, *RUN, "optimizer=sgd,adam", "seed=1,2")
    change_record(next((tmp_path / "field" / "again").glob("*/sgd-seed1-*")), result__final_test_accuracy=0.1)
    assert main(["against=field", "optimizer=lion", "device=cpu", "outputs=own"]) == 2
    out, err = capsys.readouterr()
    assert "\nagainst=field: digits, mlp" in out and "\n1 repeat has another result: " in out
    assert err.startswith("error: against=field: the images here are others")


def test_arms_in_another_order_are_the_same_decision(tmp_path, monkeypatch, capsys):
    """Level ones, too, of which either may be named first."""
    monkeypatch.chdir(tmp_path)
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1,0.1001", "seed=1,2")
    rule = ["--looks", "2", "--most-seeds", "2"]
    assert main([*FLAGS[:4], *RUN, *rule]) == 0
    before = (tmp_path / "outputs" / "decision.json").read_text()
    answer = capsys.readouterr().out.splitlines()[-1]
    assert "usual and like are level" in answer
    assert main([*FLAGS[2:4], *FLAGS[:2], *RUN, *rule]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == answer
    assert (tmp_path / "outputs" / "decision.json").read_text() == before


def test_the_last_sentence_tells_who_scatters_plainly_more(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1,0.1001,0.001,1e30", "seed=1,2,3,4,5")
    for file in tmp_path.glob("outputs/*/*/run.json"):
        config = json.loads(file.read_text())["config"]
        lr, seed = config["optimizer"]["lr"], config["seed"]
        moved = (0.01 if lr == 0.1 else 0.0005) * ((3, 5, 2, 1)[[0.1, 0.1001, 0.001, 1e30].index(lr)] * seed % 7 - 3)
        change_record(file.parent, result__final_test_accuracy=0.9 + moved)
    assert main([*FLAGS, *RUN, "--looks", "5", "--most-seeds", "5"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1].endswith("which the intervals don't allow for: the error may be above 5 %.")
    assert " At 5 seeds usual scatters " in told[-1] and any(line.startswith("  usual scatters ") for line in told)
    assert json.loads((tmp_path / "outputs" / "decision.json").read_text())["answer"] == told[-1]


def test_runs_that_another_command_ends_after_a_look_are_taken_as_they_are(tmp_path, monkeypatch):
    """Between the judgement, which lacks them, and the command that would train them."""
    monkeypatch.chdir(tmp_path)
    make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1", "seed=1,2")
    looked, asked = [], []

    def judge_then_end(*given):
        looked.append(judge(*given))
        if len(looked) == 1:
            make_field(tmp_path / "outputs", *RUN, "optimizer=sgd", "optimizer.lr=0.1,0.1001", "seed=1,2")
        return looked[-1]

    monkeypatch.setattr("sweeper.decide.judge.judge", judge_then_end)
    monkeypatch.setattr("sweeper.decide.command.run", lambda command: asked.append(command) or 0)
    monkeypatch.setattr("sweeper.decide.circumstances.check_data", lambda *given: None)
    assert main([*FLAGS[:4], *RUN, "--looks", "2", "--most-seeds", "2"]) == 0
    assert len(looked) == 2 and [command[-1] for command in asked] == ["seed=1,2"]


@pytest.mark.parametrize("there", ["0.1,0.1001,0.001", "0.1,0.1001", "0.1"])
def test_tables_compare_all_arms_whichever_of_their_runs_were_there(there, tmp_path, monkeypatch):
    """The sweep has the missing runs alone, and there is none where nothing is missing."""
    monkeypatch.chdir(tmp_path)
    made = [*RUN, "optimizer=sgd", "seed=1,2"]
    make_field(tmp_path / "outputs", *made, f"optimizer.lr={there}")
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda *_: "")

    def train(command):
        make_field(tmp_path / "outputs", *made, "optimizer.lr=0.1,0.1001,0.001")
        return 0

    monkeypatch.setattr("sweeper.decide.command.run", train)
    assert main([*FLAGS[:6], *RUN, "--looks", "2", "--most-seeds", "2"]) == 0
    members = read_arms(tmp_path / "outputs").values()
    assert sorted(member.arm for member in members) == ["like", "like", "slow", "slow", "usual", "usual"]
    assert len({number for member in members for number in member.arms}) == 1  # one comparison


def test_nothing_is_recorded_where_nothing_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.decide.command.run", lambda command: 2)
    assert main([*FLAGS[:4], *RUN]) == 2
    assert not (tmp_path / "outputs").exists()


def test_help_and_version(capsys):
    assert main(["--help"]) == 0 and "--most-seeds" in capsys.readouterr().out
    assert main(["--version"]) == 0


def test_bad_input_is_refused_in_a_line(capsys):
    assert main(["--margin", "0", *FLAGS, *RUN]) == 2
    assert capsys.readouterr().err == "error: --margin 0: must be a number of percentage points above 0, e.g. 0.2\n"
    assert main([*RUN]) == 2
    assert capsys.readouterr().err.startswith("error: a decision needs two arms or more")
    assert main(["tune=true", *FLAGS, *RUN]) == 2
    assert capsys.readouterr().err.startswith(
        "error: tune=true: is for a newcomer, with against=FIELD; tune arms before"
    )
