"""Runs are drawn by a key, and composed again from their records alone."""

import json
import re

import pytest
from made_folder import make_folder, write_composed
from made_runs import change_record, make_run

from sweeper.runs.identity import run_name
from sweeper.system.errors import BadInput
from sweeper.verify.folder import read_folder
from sweeper.verify.sample import CantRepeat, check_present, compose_again, draw, finals, key_of


def test_a_draw_is_repeated_by_its_key_and_takes_results_alone(tmp_path):
    make_folder(tmp_path)
    make_run(tmp_path, "interrupted", seed=9)
    runs, _ = read_folder([str(tmp_path)])
    draws = {key: [one.path for one in draw(runs, 3, key)] for key in map(str, range(20))}
    assert draws["1"] == [one.path for one in draw(runs[::-1], 3, "1")]
    assert len({tuple(drawn) for drawn in draws.values()}) > 10
    assert len(draw(runs, 100, "1")) == 6  # the finished ones


def test_a_key_is_new_each_time_and_kept_where_the_runs_are(tmp_path):
    assert key_of(None, "mine") == key_of(tmp_path, "mine") == "mine"
    assert re.fullmatch("[0-9a-f]{8}", key_of(None, None)) and key_of(None, None) != key_of(None, None)
    into = tmp_path / "again"
    assert key_of(into, None) == key_of(into, None)
    (into / "draw.key").write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"draw.key: isn't a draw's key; remove it"):
        key_of(into, None)
    (into / "draw.key").unlink()
    (into / "draw.key").mkdir()
    with pytest.raises(BadInput, match=r"draw.key: can't be read: Is a directory$"):  # not to be removed
        key_of(into, None)


WORDS = ["optimizer=sgd", "optimizer.lr=0.05", "dataset.train_limit=300", "tag='it''s'".replace("''", "\\'")]


def test_a_run_is_composed_again_with_its_threads_and_this_machines_words(tmp_path):
    path = write_composed(tmp_path / "theirs", WORDS, (0.8, 0.9), overrides=[*WORDS, "device=cpu", "outputs=x"])
    ((one,), _) = read_folder([str(tmp_path / "theirs")])
    into = tmp_path / "it's he\\re"
    cell, words = compose_again(one, into, ["device=cpu"])
    assert cell.directory == into / path.parent.name / path.name
    assert words[-4:-1] == ["device.threads=1", "device=cpu", "save_model=false"]
    assert compose_again(one, into, ["device.threads=2"])[0].config["device"]["threads"] == 2


def test_what_does_not_give_its_configuration_here_is_said(tmp_path):
    path = write_composed(tmp_path, WORDS, (0.8,))
    record = json.loads((path / "run.json").read_text())

    def refused(change):
        change(config := json.loads(json.dumps(record["config"])))
        (path / "run.json").write_text(json.dumps({**record, "config": config}))
        named = path.rename(path.with_name(run_name(config).rpartition("/")[2]))
        ((one,), _) = read_folder([str(tmp_path)])
        with pytest.raises(CantRepeat) as error:
            compose_again(one, tmp_path / "again", [])
        named.rename(path)
        return str(error.value)

    told = refused(lambda config: config["optimizer"].update(_target_="os.system"))
    assert told == "this version composes its configuration with other values of optimizer._target_"
    assert "optimizer.colour" in refused(lambda config: config["optimizer"].update(colour=3))
    assert "can't be composed here: optimizer=mine: " in refused(lambda config: config["optimizer"].update(name="mine"))
    told = refused(lambda config: config.update(tag="${oc.env:HOME}"))
    assert told == "its record names code or an interpolation; it is not run"


def test_a_data_set_that_is_not_here_is_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = write_composed(tmp_path / "theirs", ["dataset=cifar10", "model=cnn"], (0.5,))
    change_record(run, config__dataset__root="../../elsewhere")
    ((one,), _) = read_folder([str(tmp_path / "theirs")])
    cell, _ = compose_again(one, tmp_path / "again", [])
    with pytest.raises(BadInput) as error:
        check_present(cell)
    told = (
        "dataset=cifar10: isn't in data/ here; say dataset.root=DIR, or download it: python -m sweeper.datasets cifar10"
    )
    assert str(error.value).startswith(told)
    (tmp_path / "mine" / "train").mkdir(parents=True)
    check_present(compose_again(one, tmp_path / "again", [f"dataset.root={tmp_path / 'mine'}"])[0])


def test_the_judged_run_is_in_no_group(tmp_path):
    make_folder(tmp_path)
    make_run(tmp_path, "diverged", seed=5, dataset__loader="mine.images")
    runs, _ = read_folder([str(tmp_path)])
    groups = [[one for one in runs if one.run.values["optimizer"] == name and one.seed < 9] for name in ("adam", "sgd")]
    assert finals(groups, groups[1][0]) == [[0.85, 0.86], [0.91]]
