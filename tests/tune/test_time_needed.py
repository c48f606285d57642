"""How long the steps take is what `sweeper.plan` measures of the search, in proportion to the runs."""

import json

from json_schema import check

from sweeper.tune.command import main
from sweeper.tune.time_needed import seconds_needed
from tests.tune.conftest import TASK

PLAN = {
    "launchers": [{"chosen": False, "seconds": 60}, {"chosen": True, "seconds": 90}],
    "extensions": 4,
    "outputs": "outputs",
}


def test_later_runs_take_as_long_as_those_of_the_search():
    assert seconds_needed(PLAN, 9, 18) == 180
    assert seconds_needed({**PLAN, "launchers": PLAN["launchers"][:1]}, 9, 18) == 120


def test_a_plan_trains_nothing_and_a_search_that_is_done_is_not_timed(trainer, monkeypatch, capsys, tmp_path):
    asked, codes = [], [0, 1, 0]

    def plan(command):
        asked.append(command[2:4])
        return codes.pop(0), json.dumps(PLAN | {"extensions": 4 * (len(asked) == 1)}).encode()

    monkeypatch.setattr("sweeper.tune.time_needed.run_and_read", plan)
    assert main([*TASK, "optimizer=sgd", "--plan"]) == 0 and asked == [["sweeper.plan", "--json"]]
    out = capsys.readouterr().out.splitlines()
    assert out[2:] == ["time: about 6 min for 12 runs on this machine, and more where a grid grows"]
    assert not any(tmp_path.iterdir())
    assert main([*TASK, "optimizer=sgd", "--plan"]) == 1 and capsys.readouterr().err.startswith(
        "the disk is too full: "
    )
    assert main(["--json", *TASK, "optimizer=sgd", "--plan"]) == 0
    out = capsys.readouterr().out
    document = json.loads(out[out.index("{\n") :])
    check("tune", document)
    assert document["runs"] == {"search": 3, "confirmation": 4, "comparison": 5} and document["seconds"] == 360
    assert "for 12 runs on this machine\n" in out
    assert main([*TASK, "optimizer=sgd"]) == 0 and main([*TASK, "optimizer=sgd", "--plan"]) == 0
    assert "the search is done, so there is nothing to time;" in capsys.readouterr().out and len(asked) == 3
