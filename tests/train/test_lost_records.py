"""A run whose record can't be read is never trained over: what may be whole is left, what is damaged is kept."""

import json
import shutil

import pytest
from conftest import TINY
from forked import run_forked
from made_runs import make_run
from permissions import run_held

from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import Refused, find_finished

pytestmark = pytest.mark.slow

RUN = (*TINY, "model=mlp", "epochs=1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = run_forked("train", *RUN, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "outputs"


@pytest.fixture
def run(finished, tmp_path):
    """The directory of a finished run, in a folder of its own."""
    shutil.copytree(finished, tmp_path / "outputs")
    (directory,) = (tmp_path / "outputs").glob("*/*")
    return directory


def contents(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one run", "sweep"])
def test_a_record_that_may_not_be_read_stops_the_command_and_stays(run, tmp_path, multirun):
    (run / "run.json").chmod(0)
    before = run.stat().st_mtime_ns
    for module in ("train", "plan"):
        done = run_held(module, *multirun, *RUN, cwd=tmp_path)
        path = (run / "run.json").relative_to(tmp_path)
        assert done.stderr == f"error: {path}: can't be read: Permission denied; make it readable\n"
        assert (done.returncode, done.stdout, run.stat().st_mtime_ns) == (2, "", before)


def test_a_record_of_a_newer_version_stays(run, call, capsys):
    record = json.dumps({**json.loads((run / "run.json").read_text()), "schema_version": 99})
    (run / "run.json").write_text(record)
    code, out, err = call(*RUN)
    assert (code, out) == (2, "") and err.endswith(
        "run.json: of schema 99, this sweeper reads up to 1; update sweeper\n"
    )
    assert (run / "run.json").read_text() == record


@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one run", "sweep"])
def test_what_a_run_of_a_damaged_record_has_is_kept(run, tmp_path, multirun):
    (run / "run.json").write_text("{\n")
    before = contents(run)
    done = run_forked("train", *multirun, *RUN, cwd=tmp_path)
    path = run.relative_to(tmp_path)
    said = f"{path}/run.json: not whole JSON; the run is trained anew, and its files are kept in "
    said += f"{path}/previous/1"
    assert done.returncode == 0 and said in done.stdout + done.stderr
    kept = contents(run / "previous" / "1")
    assert set(kept) == {"run.json", "metrics.csv", "model.safetensors"} and kept.items() <= before.items()
    assert find_finished(run) is not None
    assert contents(run)["model.safetensors"] == before["model.safetensors"]
    assert "previous" not in run_forked("train", *multirun, *RUN, cwd=tmp_path).stderr  # once


def test_a_run_without_its_record_keeps_what_it_has(run, tmp_path):
    (run / "run.json").unlink()
    done = run_forked("train", *RUN, cwd=tmp_path)
    assert done.returncode == 0 and "run.json: No such file or directory; the run is trained anew" in (
        done.stdout + done.stderr
    )
    assert set(contents(run / "previous" / "1")) == {"metrics.csv", "model.safetensors"}


def test_a_new_run_has_nothing_to_say_of_a_record(tmp_path):
    done = run_forked("train", *RUN, cwd=tmp_path)
    assert done.returncode == 0 and "run.json" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("previous"))


def test_rerun_is_a_way_out_and_keeps_the_record(run, tmp_path):
    (run / "run.json").chmod(0)
    done = run_held("train", *RUN, "rerun=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert find_finished(run) is not None and (run / "previous" / "1" / "run.json").exists()


def test_a_disk_that_fails_in_reading_is_no_damage(tmp_path, monkeypatch):
    directory = make_run(tmp_path)

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sweeper.runs.record.read_file", fail)
    with pytest.raises(Refused, match=r"run.json: can't be read: Input/output error"):
        find_finished(directory)


def test_a_checkpoint_that_may_not_be_read_is_no_damage(tmp_path, monkeypatch):
    run = RunDirectory(tmp_path)
    run.write_checkpoint({"epoch": 1})

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("sweeper.system.files.read_without_checksum", refuse)
    with pytest.raises(PermissionError):
        run.load_checkpoint()
