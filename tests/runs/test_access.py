"""Folders that can't be read or written, and what lies in a file's way: one line, before torch is loaded."""

import contextlib
import shutil
import subprocess
import sys

import pytest
from conftest import TINY, merged
from made_runs import make_rows, make_run, write_finished_run
from permissions import run_held

from sweeper.config.grid import compose_grid
from sweeper.doctor.facts import outputs_folder
from sweeper.runs.access import LEAST_FREE, make_outputs
from sweeper.system.errors import BadInput

RUN = (*TINY, "model=mlp", "epochs=1")


@pytest.fixture
def directory(tmp_path):
    """Where the run's directory goes."""
    return tmp_path / compose_grid(merged(*RUN)).cells[0].directory


def is_one_line(code: int, out: str, err: str) -> bool:
    return (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one run", "sweep"])
@pytest.mark.parametrize("place", ["the run's directory", "the one above"])
def test_a_file_where_a_folder_goes(call, directory, tmp_path, place, multirun):
    file = directory if place == "the run's directory" else directory.parent
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    said = call(*multirun, *RUN)
    assert is_one_line(*said)
    assert f"{file.relative_to(tmp_path)}: is a file, but a folder of runs is needed there; move it away" in said[2]
    assert file.read_text() == "mine"


FILES = ("run.json", "metrics.csv", "checkpoint.pt", "run.lock", "train.log", ".hydra/config.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_folder_where_a_file_goes(call, directory, tmp_path, name):
    (directory / name).mkdir(parents=True)
    said = call(*RUN)
    assert is_one_line(*said)
    assert (
        f"{(directory / name).relative_to(tmp_path)}: is a folder, but a file is needed there; move it away" in said[2]
    )


@pytest.mark.parametrize("name", [".hydra", "previous"])
def test_a_file_where_a_folder_of_the_run_goes(call, directory, name):
    directory.mkdir(parents=True)
    (directory / name).touch()
    said = call(*RUN)
    assert is_one_line(*said) and f"/{name}: is a file, but a folder is needed there; move it away" in said[2]


def test_a_folder_where_the_sweeps_own_file_goes(call, tmp_path):
    (tmp_path / "outputs" / "multirun.yaml").mkdir(parents=True)
    said = call("-m", *RUN)
    assert is_one_line(*said) and "outputs/multirun.yaml: is a folder, but a file is needed there" in said[2]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ("file", "can't be read: Not a directory"),
        ("file/o", "can't be read: Not a directory"),
        ("nowhere", "can't be written: No such file or directory"),
        ("/proc/x", "can't be written: No such file or directory"),
    ],
)
def test_an_outputs_folder_of_no_use(call, tmp_path, outputs, words):
    if outputs == "/proc/x" and sys.platform != "linux":
        pytest.skip("there is no /proc")
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("gone")
    said = call(*RUN, f"outputs={outputs}")
    assert is_one_line(*said)
    assert said[2] == f"error: outputs={outputs}: {words}; choose another folder by outputs=DIR\n"


def test_it_is_said_before_torch_is_loaded(tmp_path):
    (tmp_path / "file").touch()
    code = "import sys; from sweeper.train.command import main; print(main(), {'torch', 'pandas'} & set(sys.modules))"
    command = [sys.executable, "-c", code, *RUN, "outputs=file"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2 set()\n"


@pytest.mark.parametrize("module", ["train", "plan"])
@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one run", "sweep"])
def test_a_folder_that_may_not_be_read(tmp_path, module, multirun):
    (tmp_path / "o").mkdir(mode=0)
    done = run_held(module, *multirun, *RUN, "outputs=o", cwd=tmp_path)
    assert is_one_line(done.returncode, done.stdout, done.stderr)
    reason = "can't be read: Permission denied; choose another folder by outputs=DIR"
    assert done.stderr == f"error: outputs=o: {reason}\n"


@pytest.mark.parametrize("place", ["the run's directory", "the one above"])
def test_a_folder_within_that_may_not_be_read(directory, tmp_path, place):
    folder = directory if place == "the run's directory" else directory.parent
    folder.mkdir(parents=True)
    folder.chmod(0)
    done = run_held("train", *RUN, cwd=tmp_path)
    folder.chmod(0o700)
    assert is_one_line(done.returncode, done.stdout, done.stderr)
    reason = "can't be read: Permission denied; make it readable, or choose another folder by outputs=DIR"
    assert done.stderr == f"error: {folder.relative_to(tmp_path)}: {reason}\n"


@pytest.mark.parametrize("place", ["the folder of all runs", "the run's directory"])
def test_a_folder_that_may_not_be_written(directory, tmp_path, place):
    directory.mkdir(parents=True)
    folder = directory if place == "the run's directory" else tmp_path / "outputs"
    folder.chmod(0o500)
    done = run_held("train", *RUN, cwd=tmp_path)
    folder.chmod(0o700)
    assert is_one_line(done.returncode, done.stdout, done.stderr)
    assert "can't be written" in done.stderr and "choose another folder by outputs=DIR" in done.stderr


@pytest.mark.parametrize(("name", "done"), [("checkpoint.pt", "read"), (".hydra", "written")])
def test_a_runs_file_that_may_not_be_used(directory, tmp_path, name, done):
    """Beginning anew would lose what the checkpoint has."""
    directory.mkdir(parents=True)
    (directory / name).touch() if done == "read" else (directory / name).mkdir()
    (directory / name).chmod(0)
    told = run_held("train", *RUN, cwd=tmp_path)
    (directory / name).chmod(0o700)
    assert is_one_line(told.returncode, told.stdout, told.stderr) and (directory / name).exists()
    assert f"/{name}: can't be {done}; make it " in told.stderr


def test_trying_leaves_nothing(call, tmp_path):
    code, _, err = call(*RUN, "optimizer._target_=torch.optim.SGDD", "outputs=a/b")
    assert code == 2 and "SGDD" in err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("aggregate",), ("report",), ("choose",), ("watch", "--once")])
def test_what_reads_runs_says_that_it_may_not(tmp_path, command):
    make_run(tmp_path / "o")
    (tmp_path / "o").chmod(0)
    done = run_held(*command, "o", cwd=tmp_path)
    (tmp_path / "o").chmod(0o700)
    assert is_one_line(done.returncode, done.stdout, done.stderr)
    assert done.stderr == "error: o: can't be read: Permission denied; make it readable, or name another\n"


@pytest.mark.slow
def test_a_finished_sweep_in_a_folder_that_may_not_be_written(tmp_path):
    """It answers; its tables can be had elsewhere."""
    (cell,) = compose_grid(["-m", *merged(*RUN)]).cells
    write_finished_run(tmp_path / cell.config["outputs"], cell.config, make_rows([0.5]), {})
    folders = [path for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o500)
    done = run_held("train", "-m", *RUN, cwd=tmp_path)
    for folder in folders:
        folder.chmod(0o700)
    assert done.returncode == 1 and "completed already" in done.stdout
    advice = "python -m sweeper.aggregate outputs --into DIR writes elsewhere"
    said = f"error: outputs/results.csv: can't be written: Permission denied; {advice}"
    assert done.stderr.splitlines() == ["1 run, 1 done already, in outputs/", said]


@pytest.mark.parametrize("missing", [1, 0])
def test_train_and_doctor_ask_for_the_same_room(tmp_path, monkeypatch, missing):
    usage = shutil.disk_usage(tmp_path)._replace(free=LEAST_FREE - missing)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert (outputs_folder(tmp_path)["error"] is not None) == bool(missing)
    with pytest.raises(BadInput, match="MiB are free there") if missing else contextlib.nullcontext():
        make_outputs(tmp_path / "new" / "outputs")
    assert list((tmp_path / "new" / "outputs").iterdir()) == []
