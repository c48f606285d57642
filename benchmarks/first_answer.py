"""`python -m benchmarks.first_answer [--csv FILE]`: how long a newcomer waits for README's first answer.

Clones the repository into an empty temporary folder and runs `make sweep` there, as README says: a new environment, all
packages by pip, 5 optimizers × 3 seeds. Prints the seconds until the clone is there, the first line, the installed
environment, the first epoch of any run, and the sentence that answers, each also without the installation; and since
other work may share the cores, `make`'s CPU seconds with all that it starts. It needs 6 GB of disk while it runs.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil

from benchmarks.command_line import Parser
from benchmarks.figures import write_csv
from sweeper.system.machine import cores

REPOSITORY = Path(__file__).resolve().parent.parent
CLONED, LINE, INSTALLED, EPOCH, ANSWER = MOMENTS = ("cloned", "first line", "installed", "first epoch", "answer")
FIGURES = ("seconds", "cpu_seconds", "seconds_after_installing", "cpu_seconds_after_installing")
COLUMNS = ("until", *FIGURES, "machine", "cores", "load", "date", "python", "torch", "commit")
Moment = tuple[float, float]  # seconds, and CPU seconds


def main() -> int:
    parser = Parser("first_answer", __doc__)
    parser.add_csv()
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "sweeper"
        found = wait_for_answer(str(REPOSITORY), clone)
        facts: dict[str, Any] = {"cores": cores(), "load": round(os.getloadavg()[0], 1)} | recorded(clone)
        facts |= {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    rows = [row | facts for row in table(found)]
    print(f"| until | {' | '.join(FIGURES)} |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(str(row.get(name, '')) for name in ('until', *FIGURES))} |")
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)
    return 0


def wait_for_answer(repository: str, clone: Path) -> dict[str, Moment]:
    """When each moment comes, counted from the start of `git clone`."""
    began = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", repository, clone], check=True)
    found = {CLONED: (time.monotonic() - began, 0.0)}
    # Python writes each line when it is whole, as it does on a terminal.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    with psutil.Popen(["make", "sweep"], cwd=clone, env=environment | {"PYTHONUNBUFFERED": "1"}, **output) as make:

        def now() -> Moment:
            return time.monotonic() - began, cpu_seconds(make)

        watcher = threading.Thread(target=watch, args=(clone, lambda: make.poll() is None, now, found))
        watcher.start()
        lines = [(now(), line) for line in make.stdout]
    watcher.join()
    if make.returncode:
        raise SystemExit("".join(line for _, line in lines))
    return found | moments(lines)


def watch(clone: Path, going: Callable[[], bool], now: Callable[[], Moment], found: dict[str, Moment]) -> None:
    """Note when the environment is whole and when a run has a row of metrics, while `going()`."""
    signs = {INSTALLED: (".venv/.installed", 0), EPOCH: ("outputs/*/*/metrics.csv", 2)}  # with so many lines
    while going() and signs.keys() - found.keys():
        for name, (pattern, count) in signs.items():
            if name not in found and any(path.read_bytes().count(b"\n") >= count for path in [*clone.glob(pattern)]):
                found[name] = now()
        time.sleep(0.05)


def cpu_seconds(process: psutil.Process) -> float:
    """Of a process and its descendants, with those that have ended."""
    total = 0.0
    with suppress(psutil.Error):  # it has ended
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += sum(one.cpu_times()[:4])
    return total


def moments(lines: Iterable[tuple[Moment, str]]) -> dict[str, Moment]:
    """Of the lines that a sweep prints: the first, and the one that answers, which the page's line follows."""
    lines = list(lines)
    page = next(k for k, (_, line) in enumerate(lines) if line.startswith("page: "))
    return {LINE: lines[0][0], ANSWER: lines[page - 1][0]}


def table(found: dict[str, Moment]) -> Iterator[dict[str, Any]]:
    for name in sorted(MOMENTS, key=found.__getitem__):
        later = [figure - before for figure, before in zip(found[name], found[INSTALLED], strict=True)]
        figures = [*found[name], *(later if later[0] > 0 else ())]
        yield {"until": name} | {what: round(figure, 1) for what, figure in zip(FIGURES, figures, strict=False)}


def recorded(clone: Path) -> dict[str, str]:
    """What a run's record says of the machine and the environment."""
    record = json.loads(min(clone.glob("outputs/*/*/run.json")).read_text(encoding="utf-8"))["environment"]
    versions = {name: record["versions"][name] for name in ("python", "torch")}
    return versions | {"machine": record["device_name"], "commit": record["commit"]}


if __name__ == "__main__":
    sys.exit(main())
