"""`python -m benchmarks.soak [--runs N]`: very many tiny runs in one sweep, by `packed` and by joblib.

Tells what a run leaves behind in the sweep's processes (memory and open files, by a straight line through the second
half of the sweep), whether the last runs take longer than the first, and whether the table has every run once.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command_line import Parser, count
from benchmarks.sweeps import REPOSITORY, Failed, end_of, last_line, started

TINY = ["dataset=digits", "dataset.train_limit=128", "dataset.test_limit=64", "model=mlp", "model.width=8", "epochs=1"]
TINY += ["device=cpu", "device.threads=1", "record_host=false"]
LAUNCHERS = {
    "packed": ["hydra/launcher=packed"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.launcher.pre_dispatch=2"],
}
LOOK_EVERY = 0.25  # seconds


@dataclass
class Look:
    """The sweep at one moment: `done` runs have ended; memory in KiB and open files, of all its processes."""

    seconds: float
    done: int
    memory: int
    files: int


def main() -> int:
    parser = Parser("soak", __doc__)
    parser.add_argument("--runs", type=count, default=2000)
    parser.add_argument("--launcher", choices=[*LAUNCHERS, "both"], default="both")
    arguments = parser.parse_args()
    for launcher in LAUNCHERS if arguments.launcher == "both" else [arguments.launcher]:
        with tempfile.TemporaryDirectory() as folder:
            outputs = Path(folder) / "outputs"
            try:
                print(f"{launcher}: {describe(soak(launcher, arguments.runs, outputs), outputs, arguments.runs)}")
            except Failed as failure:
                print(f"{launcher}: {failure}", file=sys.stderr)
                return 1
    return 0


def soak(launcher: str, runs: int, outputs: Path) -> list[Look]:
    """Carry the sweep out and look at it until it ends.

    Raises:
        Failed: it didn't end well.
    """
    command = [sys.executable, "-m", "sweeper.train", "-m", *TINY, f"seed=range(0,{runs})", *LAUNCHERS[launcher]]
    log = outputs.parent / "log"
    looks: list[Look] = []
    began = time.perf_counter()
    with log.open("wb") as file, started([*command, f"outputs={outputs}"], stdout=file, stderr=file) as process:
        while process.poll() is None:
            done = log.read_bytes().count(b": completed, test ")
            looks.append(Look(time.perf_counter() - began, done, *use_of(process.pid)))
            time.sleep(LOOK_EVERY)
    if process.returncode != 0:
        raise Failed(f"exit code {process.returncode}: {end_of(log)}")
    return looks


def use_of(group: int) -> tuple[int, int]:
    """Memory in KiB and open files of a process group."""
    memory = files = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getpgid(int(pid)) == group:
                memory += int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * (
                    os.sysconf("SC_PAGE_SIZE") >> 10
                )
                files += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:  # it has ended meanwhile
            continue
    return memory, files


def describe(looks: list[Look], outputs: Path, runs: int) -> str:
    """One line of figures.

    Raises:
        Failed: the table hasn't every run once and completed, or the same command has work left.
    """
    at_work = [look for look in looks if 0 < look.done < runs]
    second = [look for look in at_work if look.done >= runs // 2]
    if len({look.done for look in second}) < 3:
        raise Failed("too few runs to tell their growth")
    done = [look.done for look in second]
    memory, files = (np.polyfit(done, [getattr(k, what) for k in second], 1)[0] for what in ("memory", "files"))
    halves = [seconds_per_run(at_work, *part) for part in ((0.1, 0.5), (0.5, 1.0))]
    with (outputs / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lost = set(range(runs)) - {int(row["seed"]) for row in rows if row["status"] == "completed"}
    doubled = len(rows) - len({row["seed"] for row in rows})
    again = [sys.executable, "-m", "sweeper.train", "-m", *TINY, f"seed=range(0,{runs})", f"outputs={outputs}"]
    asked = subprocess.run(again, cwd=REPOSITORY, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if lost or doubled or f"{runs:,} runs, {runs:,} done already" not in asked.stderr:
        raise Failed(f"lost {len(lost)}, doubled {doubled}: {last_line(asked.stderr)}")
    return (
        f"{runs} runs, lost 0, doubled 0; growth a run {memory:+.1f} KiB of memory and {files:+.3f} open files; "
        f"{halves[0]:.3f} s a run in the first half, {halves[1]:.3f} s in the second"
    )


def seconds_per_run(looks: list[Look], begin: float, end: float) -> float:
    """Between these shares of the sweep."""
    most = looks[-1].done
    inside = [look for look in looks if begin * most <= look.done <= end * most]
    return (inside[-1].seconds - inside[0].seconds) / (inside[-1].done - inside[0].done)


if __name__ == "__main__":
    sys.exit(main())
