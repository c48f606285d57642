"""What a search tells Optuna of a run that other commands train, too."""

from types import SimpleNamespace

from made_runs import make_run

from sweeper.runs.record import find_finished
from sweeper.train.search import carry_out


def test_a_run_that_ends_while_it_is_looked_at_is_told_whole(tmp_path, monkeypatch):
    run, told = make_run(tmp_path, "running"), []
    whole = (run / "metrics.csv").read_bytes()
    (run / "metrics.csv").write_bytes(whole[: whole.index(b"\n", whole.index(b"\n") + 1) + 1])

    def find_when_it_has_ended(directory):
        make_run(tmp_path)
        return find_finished(directory)

    monkeypatch.setattr(carry_out, "find_finished", find_when_it_has_ended)
    work = SimpleNamespace(trials=SimpleNamespace(tell=lambda *given: told.append(given)))
    asked = SimpleNamespace(optimizer="sgd", number=0, cell=SimpleNamespace(directory=run), bars=None)
    assert carry_out._told(work, asked)
    (result,) = told
    assert result[4] == whole.count(b"\n") - 1 > 1
