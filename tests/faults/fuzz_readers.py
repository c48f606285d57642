"""`python tests/faults/fuzz_readers.py run_json|metrics_csv [CORPUS … -options]`: readers of others' files, by atheris.

Bytes are changed wherever a change leads into a line of a reader that was not reached before. The arguments after the
reader's name are libFuzzer's: new inputs are written into the first folder. `make fuzz` is ten minutes of it.
"""

import importlib
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["sweeper", "json"]):
        for name in ("runs.rows", "report.curves", "report.provenance"):
            importlib.import_module(f"sweeper.{name}")

from sweeper.aggregate.tables import to_csv
from sweeper.report.curves import read_curve
from sweeper.report.provenance import read_words
from sweeper.runs.layout import METRICS_FILE, RUN_FILE
from sweeper.runs.metrics import METRICS, figures_so_far, read_metrics
from sweeper.runs.results import COLUMNS
from sweeper.runs.rows import read_row
from sweeper.runs.status import RECORDED
from sweeper.system.text import printable


def check_record(folder: Path, content: bytes) -> None:
    """Whatever `run.json` holds, the run is a row of printable cells, damaged or not, and can be drawn."""
    (folder / RUN_FILE).write_bytes(content)
    run = read_row(str(folder), "a-run")
    assert run.values["status"] in (*RECORDED, "damaged")
    error = run.values["error"]
    assert error is None or error == printable(error)
    if run.values["status"] == "damaged":
        assert error
    else:
        read_curve(run)
        read_words(run)
    assert to_csv(COLUMNS, [run.values]).count(b"\n") == 2


def check_metrics(folder: Path, content: bytes) -> None:
    """Whatever `metrics.csv` holds, its whole rows are numbers, and the rest is told in a line."""
    (folder / METRICS_FILE).write_bytes(content)
    rows, damage = read_metrics(folder / METRICS_FILE)
    assert damage is None or damage == printable(damage)
    assert all(set(row) == set(METRICS) for row in rows)
    figures_so_far(rows, 0.5)


READERS = {"run_json": check_record, "metrics_csv": check_metrics}

if __name__ == "__main__":
    reader = READERS[sys.argv[1]]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda content: reader(Path(folder), content))
        atheris.Fuzz()
