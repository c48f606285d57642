"""How long the steps take is what `sweeper.plan` measures of the search, in proportion to the runs."""

import json

from sweeper.tune.command import main
from sweeper.tune.time_needed import time_words
from tests.tune.conftest import TASK

PLAN = {
    "launchers": [{"chosen": False, "seconds": 60}, {"chosen": True, "seconds": 90}],
    "extensions": 4,
    "outputs": "outputs",
}


def test_later_runs_take_as_long_as_those_of_the_search():
    said = "time: about 3 min for 18 runs on this machine"
    assert time_words(PLAN, 9, 9) == f"{said}, and more where a grid grows"
    assert time_words(PLAN | {"extensions": 0}, 9, 9) == said
    assert "about 2 min for 18 runs" in time_words({**PLAN, "launchers": PLAN["launchers"][:1]}, 9, 9)


def test_a_plan_trains_nothing_and_a_search_that_is_done_is_not_timed(trainer, monkeypatch, capsys, tmp_path):
    asked, codes = [], [0, 1]

    def plan(command, stdout):
        asked.append(command[2:4])
        stdout.write(json.dumps(PLAN).encode())
        return codes.pop(0)

    monkeypatch.setattr("sweeper.tune.time_needed.run", plan)
    assert main([*TASK, "optimizer=sgd", "--plan"]) == 0 and asked == [["sweeper.plan", "--json"]]
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3 and out[2].startswith("time: about 6 min for 12 runs") and not any(tmp_path.iterdir())
    assert main([*TASK, "optimizer=sgd", "--plan"]) == 1 and capsys.readouterr().err.startswith(
        "the disk is too full: "
    )
    assert main([*TASK, "optimizer=sgd"]) == 0 and main([*TASK, "optimizer=sgd", "--plan"]) == 0
    assert "the search is done, so there is nothing to time;" in capsys.readouterr().out and len(asked) == 2
