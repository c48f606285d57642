"""The wheel in an empty environment of each declared Python that is installed here: `make pythons`, which names tests.

Looks for `python3.10` and so on in the search path and among pyenv's. Each gets a new environment below build/pythons/,
the wheel with what it depends on, one run, a sweep of four, the tables, and those tests. So does the Python that runs
this, with the candidates for the next release of Hydra. Names of environments after the tests leave out the others.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "pythons"
RUN = ("dataset=digits", "model=mlp", "epochs=1", "device=cpu")
NEXT_HYDRA = ("hydra-core==1.4.0rc3", "omegaconf==2.4.1rc1")
VERSIONS = """
import platform, hydra, numpy, omegaconf, pandas, scipy, torch
print("Python", platform.python_version(), end="")
for package in (torch, numpy, pandas, scipy, hydra, omegaconf):
    print(",", package.__name__, package.__version__, end="")
"""
COMMANDS = (
    ("sweeper.train", *RUN),
    ("sweeper.train", "-m", "optimizer=adam,lion", "seed=1,2", *RUN),
    ("sweeper.aggregate",),
    ("sweeper.report",),
    ("sweeper.train", "--help"),
)


def main(tests: str, *only: str) -> int:
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    environments = [(version, find_interpreter(version), ()) for version in declared]
    environments.append(("next-hydra", sys.executable, NEXT_HYDRA))
    shutil.rmtree(FOLDER, ignore_errors=True)
    build = [sys.executable, "-m", "build", "--outdir", FOLDER, ROOT]  # the wheel by way of the sdist
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = FOLDER.glob("*.whl")
    wrong = 0
    for name, interpreter, more in environments:
        if only and name not in only:
            continue
        if interpreter is None:
            print(f"{name}: not found here, not tried", flush=True)
            continue
        started = time.monotonic()
        try:
            words = try_python(interpreter, (wheel, *more), FOLDER / name, tests)
        except subprocess.CalledProcessError as error:
            wrong += 1
            words = f"FAILED: {' '.join(map(str, error.cmd))}\n{(error.stdout or '')[-3000:]}"
        print(f"{name}: {words} ({time.monotonic() - started:.0f} s)", flush=True)
    return min(wrong, 1)


def find_interpreter(version: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for path in pyenv.glob(f"{version}.*/bin/python")] + [shutil.which(f"python{version}")]
    return next((path for path in found if path and _answers(path)), None)


def try_python(interpreter: str, packages: tuple[Path | str, ...], folder: Path, tests: str) -> str:
    """What came of it, in a line.

    Args:
        packages: the wheel, and other packages in the versions wanted.
        tests: which of them, as pytest's -m takes it.

    Raises:
        CalledProcessError: something failed, or warned; its output is in `stdout`.
    """
    _call(folder.parent, interpreter, "-m", "venv", folder)
    python, work = folder / "bin" / "python", folder / "work"
    work.mkdir()
    install = (python, "-m", "pip", "install", "--quiet")
    _call(work, *install, *packages)
    for command in COMMANDS:
        if "Warning" in (output := _call(work, python, "-m", *command)):
            raise subprocess.CalledProcessError(0, ["a warning by", *command], output)
    rows = (work / "outputs" / "results.csv").read_text().count("\n") - 1
    assert rows == 5, f"{rows} rows in the table of 5 runs"
    wheel, *others = packages
    _call(work, *install, f"{wheel}[test]", *others)
    passed = _call(ROOT, folder / "bin" / "pytest", "-p", "no:cacheprovider", "-m", tests)
    return f"{_call(work, python, '-c', VERSIONS).strip()}, 5 runs; tests: {passed.strip().splitlines()[-1]}"


def _answers(path: str) -> bool:
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def _call(folder: Path, *command: object) -> str:
    """Without a PYTHONPATH, so that the wheel's own files are imported."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = list(map(str, command))
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    # A shell leaves SIGINT ignored for what it starts in the background, and the tests of Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(*sys.argv[1:]))
