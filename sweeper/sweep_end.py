"""A sweep's last word: its tables and its page, brought up to date."""

import signal
import subprocess
import sys

from sweeper.sweep_show import end_show


def update_tables(outputs: str) -> bool:
    """Aggregate and report, each in a process of its own: pandas stays out of the one that trains.

    Returns:
        Whether both were written; of each that wasn't there is a line on stderr.
    """
    end_show()
    report = subprocess.Popen(
        [sys.executable, "-m", "sweeper.report", outputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    aggregated = subprocess.run([sys.executable, "-m", "sweeper.aggregate", outputs], check=False).returncode
    told, reasons = report.communicate()
    if aggregated not in (0, 2):  # 2 has said why
        command = f"python -m sweeper.aggregate {outputs} makes them"
        _tell(f"{outputs}: the tables are not up to date ({_end(aggregated)}); {command}")
    if report.returncode == 0:
        print(told, end="", flush=True)
    elif report.returncode < 0:
        _tell(f"{outputs}: no report.html ({_end(report.returncode)}); python -m sweeper.report {outputs} makes it")
    elif aggregated != 2:  # else it has said the same
        last = (reasons.strip().splitlines() or [_end(report.returncode)])[-1]
        _tell(f"no report.html: {last.removeprefix('error: ')}")
    return aggregated == report.returncode == 0


def _end(code: int) -> str:
    """How a process ended that said nothing."""
    return f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
