"""A page shows no folder of the machine that trained: names stand for it in commands, and texts have its last part."""

import doctest

import pytest

from sweeper.report import places
from sweeper.report.places import note_on, without_folders, without_path


def test_the_examples_hold():
    assert doctest.testmod(places).failed == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/data: is not there", "…/data: is not there"),
        ("~/data/x and ~me/y", "…/x and …/y"),
        ("'/home/my me/a b.png' (/opt/a/b)", "'…/a b.png' (…/b)"),
        ("../../../home/me/data; ../data", "…/data; …/data"),
        ("sqlite:////home/me/m.db, file:///home/me/a", "sqlite:…/m.db, file:…/a"),
    ],
)
def test_of_a_path_that_lies_outside_the_last_part_is_kept(text, shown):
    assert without_folders(text) == shown == without_folders(shown)


@pytest.mark.parametrize(
    "text",
    ["3 images/s, 1 / 2", "https://a.org/b/c", "s3://bucket/a/b", "outputs/cifar10-cnn/sgd-seed1", "ylecun/mnist", "/"],
)
def test_what_is_no_path_of_this_machine_stays(text):
    assert without_folders(text) == text


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("dataset.root='/home/my me/images'", "dataset.root=FOLDER"),
        ("++dataset.root=~/images", "++dataset.root=FOLDER"),
        ("dataset.root=../images", "dataset.root=FOLDER"),
        ("noise.file=/tmp/labels.txt", "noise.file=FILE"),
        ("noise.file=labels.txt", "noise.file=labels.txt"),
        ("+model.weights=/home/me/w.pt", "+model.weights=PATH"),
        ("tracking.uri='sqlite:////home/me/m.db'", "tracking.uri=PATH"),
        ("tracking.uri='https://host/mlflow'", "tracking.uri='https://host/mlflow'"),
        ("tag='/a/b'", "tag='/a/b'"),
        ("dataset.name=ylecun/mnist", "dataset.name=ylecun/mnist"),
        ("optimizer.lr=0.1", "optimizer.lr=0.1"),
        ("~optimizer.momentum", "~optimizer.momentum"),
    ],
)
def test_a_name_stands_for_a_path_in_a_command(word, shown):
    assert without_path(word) == shown


def test_an_absolute_path_below_the_current_folder_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert without_path(f"dataset.root={tmp_path}/my images") == "dataset.root='my images'"
    assert without_path(f"dataset.root={tmp_path.parent}") == "dataset.root=FOLDER"


def test_the_note_is_on_what_stands_in_a_command():
    assert note_on(["sweeper train dataset.root=images tag=FOLDER"]) == ""
    said = "FILE stands for the file of the labels, PATH for any other path."
    assert note_on(["a noise.file=FILE seed=1", "a +b.c=PATH"]) == said
