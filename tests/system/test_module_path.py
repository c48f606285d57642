"""A stranger's files in the working folder don't run; a user's own modules are found after all others."""

import os
import subprocess
import sys

import pytest
from conftest import TINY, run_module
from made_runs import make_run

from sweeper.decide import __main__ as decide
from sweeper.plan import __main__ as plan
from sweeper.system import module_path
from sweeper.train import __main__ as train

MINE = "import bisect, torch\nassert bisect.bisect\nclass Mine(torch.optim.Adam):\n    pass\n"


@pytest.fixture
def received(tmp_path):
    """A folder of runs with files that have the names of modules of Python, of our libraries and of optional ones."""
    make_run(tmp_path / "received")
    for name in ("bisect", "csv", "json", "argparse", "yaml", "numpy", "pandas", "numexpr", "pyarrow", "rich", "torch"):
        (tmp_path / "received" / f"{name}.py").write_text(f"raise SystemExit('{name} ran')\n", encoding="utf-8")
    return tmp_path / "received"


@pytest.mark.parametrize(("module", "code"), [("aggregate", 0), ("watch", 0), ("verify", 1)])
def test_a_command_in_a_folder_of_runs_runs_nothing_of_it(received, module, code):
    """The made run's data aren't the digits here, for which verify imports torch. An empty place in PYTHONPATH,
    as `$X:$PYTHONPATH` leaves, names the folder too."""
    done = run_module(module, ".", cwd=received, PYTHONPATH=os.pathsep)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.slow
def test_a_sweep_finds_modules_of_the_working_folder_last_and_trains_in_poor_surroundings(received):
    """In the command's process and in its launcher's workers: no home folder, no standard error, no encoding."""
    for name in ("torch", "numpy", "yaml", "pandas", "rich"):  # not to be missed by mistake; the others stay
        (received / f"{name}.py").unlink()
    (received / "mine.py").write_text(MINE, encoding="utf-8")
    words = [*TINY, "optimizer=adam", "optimizer._target_=mine.Mine", "model=mlp", "seed=1,2", "outputs=new"]
    environment = {**os.environ, "HOME": "/proc/x", "LC_ALL": "C", "PYTHONUTF8": "0", "XDG_CACHE_HOME": ""}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    shell = f'exec "{sys.executable}" -m sweeper.train -m {" ".join(words)} 2>/dev/full'
    done = subprocess.run(["bash", "-c", shell], cwd=received, env=environment, capture_output=True, check=False)
    assert (done.returncode, b"2 completed" in done.stdout) == (0, True), done.stdout
    for log in received.glob("new/*/*/train.log"):
        assert "completed" in log.read_text(encoding="utf-8")
    assert not (received / "~").exists()


@pytest.mark.parametrize("path", [None, "", os.pathsep])
def test_a_users_own_program_goes_on_importing_what_lies_beside_it(tmp_path, path):
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "own.py").write_text("import sweeper, beside, sys\nassert sys.path[0] == sys.argv[1]\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {} if path is None else {"PYTHONPATH": path}
    for words, first in ((["own.py"], str(tmp_path)), (["-c", (tmp_path / "own.py").read_text()], "")):
        subprocess.run([sys.executable, *words, first], cwd=tmp_path, env=environment, check=True)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """As Python starts `python -m` in an empty folder; gives `sys.path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["-m", "--help"])
    monkeypatch.setattr(sys, "path", [os.getcwd(), "/elsewhere"])
    monkeypatch.setattr(module_path, "_left_out", [])
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.setenv(module_path.VARIABLE, "")
    return sys.path


@pytest.mark.parametrize("named", [False, True])
def test_an_empty_place_in_pythonpath_is_none_unless_the_folder_is_named_too(started, monkeypatch, named):
    given = [os.getcwd()] if named else []
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", "", *given]))
    started.append(os.getcwd())
    module_path.leave_out_working_folder()
    assert started == ["/elsewhere", *given]
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["/elsewhere", *given])


def test_the_folder_is_left_out_and_put_last_where_a_command_calls_users_code(started, tmp_path):
    module_path.leave_out_working_folder()
    assert (started, os.environ["PYTHONSAFEPATH"]) == (["/elsewhere"], "1")
    module_path.look_there_last()
    module_path.look_as_the_command_does()
    assert started == ["/elsewhere", str(tmp_path)]


@pytest.mark.parametrize("command", [train, plan, decide])
def test_commands_that_call_users_code_look_there_last(started, monkeypatch, tmp_path, command):
    monkeypatch.setattr(command, "run_command", lambda module: 0)
    module_path.leave_out_working_folder()
    assert (command.main(), started, os.environ[module_path.VARIABLE]) == (
        0,
        ["/elsewhere", str(tmp_path)],
        str(tmp_path),
    )


def test_workers_of_a_script_that_pip_installed_leave_it_out_too(started, monkeypatch):
    module_path.tell_children()
    assert os.environ["PYTHONSAFEPATH"] == ""  # the folder is in sys.path
    monkeypatch.setattr(sys, "path", ["/venv/bin", "/elsewhere"])
    module_path.tell_children()
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_nothing_is_left_out_that_python_did_not_put_there(started, monkeypatch, tmp_path):
    for argv, path in ((["script.py"], [str(tmp_path)]), (["-m"], ["/elsewhere", str(tmp_path)])):
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setattr(sys, "path", before := list(path))
        module_path.leave_out_working_folder()
        module_path.look_there_last()
        assert before == path


def test_a_folder_of_a_packages_name_is_no_package(started, tmp_path):
    for name, file in (("empty", "read.me"), ("whole", "__init__.py")):
        (tmp_path / f"{name}_in_tests").mkdir()
        (tmp_path / f"{name}_in_tests" / file).touch()
    for name in ("empty_in_tests", "missing_in_tests"):
        assert not module_path.is_installed(name)
        with pytest.raises(ModuleNotFoundError, match=f"^No module named '{name}'$"):
            module_path.import_installed(name)
    for name in ("whole_in_tests", "json"):
        assert module_path.is_installed(name) and module_path.import_installed(name).__name__ == name
