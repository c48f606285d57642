"""What `sweeper.doctor` finds without torch: the outputs folder, what is wrong with it, memory, data sets, extras."""

import errno
import os
import re
import shutil

from conftest import REPOSITORY

from sweeper.datasets import __main__ as download
from sweeper.doctor import facts as checkup
from sweeper.doctor.facts import batch_size_for, datasets, extras, outputs_folder, versions


def test_the_batch_size_follows_the_memory_as_users_report_it():
    assert [batch_size_for(gigabytes * 1e9) for gigabytes in (0.1, 2, 4, 8, 16, 36, 640)] == [
        8,
        32,
        64,
        128,  # an M2
        256,
        256,  # an M3 Max
        256,
    ]


def test_a_folder_is_timed_and_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(checkup, "WRITTEN", 2**20)
    found = outputs_folder(tmp_path / "not" / "there")
    assert found["error"] is None and found["write_bytes_per_second"] > 0 and found["free_bytes"] > 0
    assert found["grid_with_weights_bytes"] - found["grid_bytes"] == 15 * checkup.RESNET18_BYTES
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_told(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert outputs_folder(tmp_path)["error"] == (
        "only 3 MiB are free; make room, or choose another folder by outputs=DIR"
    )


def test_a_disk_that_fills_up_is_told(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkup.os, "fsync", full)
    assert outputs_folder(tmp_path)["error"] == (
        "can't be written (No space left on device); choose another by outputs=DIR"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_told(tmp_path):
    (tmp_path / "outputs").touch()
    assert "can't be written (Not a directory)" in outputs_folder(tmp_path / "outputs")["error"]


def test_data_sets_that_are_missing_come_with_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "cifar-10-batches-py").mkdir(parents=True)
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1").touch()
    found = {data["name"]: data for data in datasets()}
    assert {name for name in found if found[name]["present"]} == {"digits", "mnist1d", "cifar10"}
    assert found["digits"]["command"] is None
    for name in ("cifar100", "mnist", "fashion_mnist", "svhn"):
        assert found[name]["command"] == f"python -m sweeper.datasets {name}"


def test_the_command_of_the_doctor_downloads_what_is_missing(tmp_path, monkeypatch, capsys):
    """Without a network: a loader of ours in place of the published one."""
    monkeypatch.chdir(tmp_path)
    loaded = []
    monkeypatch.setattr("sweeper.datasets.mnist", lambda dataset: loaded.append(dataset["name"]))
    (tmp_path / "data" / "train_32x32.mat").mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["datasets", "mnist", "svhn"])
    assert download.main() == 0 and loaded == ["mnist"]
    assert capsys.readouterr().out == "mnist: downloaded into data/\nsvhn: is in data/\n"
    monkeypatch.setattr("sys.argv", ["datasets", "mnits"])
    assert download.main() == 2 and "did you mean 'mnist'?" in capsys.readouterr().err


def test_extras_are_those_of_the_package_and_told_by_a_command(monkeypatch, tmp_path):
    text = (REPOSITORY / "pyproject.toml").read_text()
    of_clone = checkup.PACKAGE.parent == REPOSITORY
    monkeypatch.chdir(tmp_path)
    assert extras()[0]["command"].startswith(f"pip install '{REPOSITORY}[" if of_clone else "pip install 'optimizer-")
    monkeypatch.chdir(REPOSITORY)
    package = "." if of_clone else "optimizer-sweeper"
    section = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    ours = {"test", "docs", "fuzz", "test-extras"}  # for who works on the package
    assert set(re.findall(r"^([\w-]+) = \[", section, re.MULTILINE)) - ours == {extra["name"] for extra in extras()}
    for extra in extras():
        assert extra["command"] == f"pip install '{package}[{extra['name']}]'"

    for modules, present in (("json", True), ("json csv", True), ("json no_such_package", False)):
        monkeypatch.setitem(checkup.EXTRAS, "tune", (modules, "all of them are needed"))
        assert [extra["present"] for extra in extras() if extra["name"] == "tune"] == [present], modules


def test_versions_are_those_of_what_is_installed(monkeypatch):
    import numpy

    monkeypatch.setattr(checkup, "LIBRARIES", ("numpy", "no-such-package"))
    found = versions()
    assert found["numpy"] == numpy.__version__ and found["no-such-package"] is None
