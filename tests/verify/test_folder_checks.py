"""The content of the data is held against what this machine has, and against nothing else."""

import pytest
from made_runs import make_run

from sweeper.datasets.data import load_data
from sweeper.verify.folder import read_folder
from sweeper.verify.folder_checks import check_code, check_copies, check_data

NO_NOISE = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}
DIGITS = {
    "name": "digits",
    "loader": "sweeper.datasets.digits",
    "root": None,
    "image_size": None,
    "validation_fraction": 0.0,
    "train_limit": None,
    "test_limit": None,
}


def told(folder, root=None):
    runs, _ = read_folder([str(folder)])
    return [(one.problem, one.what) for one in check_data(runs, "runs", root)]


def test_digits_are_those_of_this_machine_or_not(tmp_path):
    digest = load_data(DIGITS, NO_NOISE).digest
    make_run(tmp_path / "right", environment={"data_digest": digest})
    assert told(tmp_path / "right") == [(False, f"data: digits {digest[:8]}, the same as on this machine")]
    make_run(tmp_path / "wrong")
    what = f"digits has another content (dddddddd) than on this machine ({digest[:8]})"
    assert told(tmp_path / "wrong") == [(True, what)]


@pytest.mark.parametrize("given", [True, False])
def test_a_data_set_that_is_not_here_is_not_compared(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs", dataset__name="cifar10", dataset__loader="sweeper.datasets.cifar10")
    root = str(tmp_path / "mine") if given else None
    where = f"{root or 'data'}/ here; dataset.root=DIR says where it is"
    assert told(tmp_path / "runs", root) == [(False, f"data: cifar10 dddddddd, not compared: it isn't in {where}")]
    (tmp_path / "mine" / "train").mkdir(parents=True)
    ((problem, what),) = told(tmp_path / "runs", str(tmp_path / "mine"))
    assert not problem and "not compared: the files here can't be read: " in what


def test_options_that_choose_among_the_images_leave_the_content(tmp_path):
    for limit, digest in ((100, "d"), (200, "e")):
        environment = {"data_digest": digest * 64}
        make_run(tmp_path, seed=limit, dataset__train_limit=limit, dataset__loader="a.b", environment=environment)
    assert len([what for problem, what in told(tmp_path) if problem]) == 1
    make_run(tmp_path / "sized", dataset__image_size=16, dataset__loader="a.b", environment={"data_digest": "f" * 64})
    assert not any(problem for problem, _ in told(tmp_path / "sized"))


def test_a_repeat_with_another_result_is_told_from_a_copy(tmp_path):
    make_run(tmp_path / "a")
    for folder, accuracy, again in (("b", 0.9, ""), ("c", 0.8, ", trained again with another result")):
        other = make_run(tmp_path / folder, accuracy=accuracy)
        runs, _ = read_folder([str(tmp_path / "a"), str(tmp_path / folder)])
        (finding,) = check_copies(runs)
        assert (finding.where, finding.what) == (str(other), f"is the same run as {runs[0].path}{again}")


def test_code_of_the_users_own_is_one_for_all_seeds_of_a_configuration(tmp_path):
    make_run(tmp_path, optimizer="lion", environment={"code": {"net": "1"}})
    for seed in (1, 2):
        make_run(tmp_path, seed=seed, environment={"code": {"net": "2", "my": "5"}})
    assert [(f.problem, f.what) for f in code_told(tmp_path)] == [(False, "code of net: 2 (2), 1 (1)")]
    make_run(tmp_path, seed=3, environment={"code": {"net": "2", "my": "6"}})
    assert [(f.problem, f.what) for f in code_told(tmp_path)] == [
        (False, "code of net: 2 (3), 1 (1)"),
        (True, "code of my: 5 (2), 6 (1), among seeds of one configuration"),
    ]


def code_told(folder):
    return [found for found in check_code(read_folder([str(folder)])[0], "runs") if found.what.startswith("code of ")]


def test_two_tags_of_one_seed_may_have_the_same_losses(tmp_path):
    for tag, seconds in (("a", 0.5), ("b", 0.6)):
        file = make_run(tmp_path, tag=tag) / "metrics.csv"
        file.write_text(file.read_text().replace(",0.5,", f",{seconds},"))
    runs, _ = read_folder([str(tmp_path)])
    assert list(check_copies(runs)) == []
