"""Runs, their curves and their summary as pandas tables."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.summary import COUNTS, FIGURES, LISTS, STATISTICS, Row, Summary, summarize
from sweeper.runs.copies import count
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import FROM_RESULT, METRICS, read_metrics
from sweeper.runs.results import Results, read_results
from sweeper.system.errors import BadInput

if TYPE_CHECKING:
    import pandas

Folders = str | PathLike[str] | Iterable[str | PathLike[str]]

_DTYPES = {
    **dict.fromkeys(("noise_rate", "lr", "weight_decay"), "float64"),
    **dict.fromkeys(("best_epoch", "peak_memory_bytes", "epochs", "batch_size"), "Int64"),
    **dict.fromkeys(("shared_device", "versions_differ"), "boolean"),
}
_STATISTICS_DTYPES = dict.fromkeys((f"{f}_{s}" for f in FIGURES for s in STATISTICS), "float64")
_SUMMARY_DTYPES = _DTYPES | _STATISTICS_DTYPES | dict.fromkeys(COUNTS, "Int64")


def load_results(outputs: Folders) -> "pandas.DataFrame":
    """See `sweeper.load_results`."""
    results = read_results(folders_of(outputs))
    frame = to_frame(results)
    _put_lists(frame, [run.values for run in results.runs], [run.lists for run in results.runs])
    frame.insert(1, "path", [run.path for run in results.runs])
    return frame.dropna(axis="columns", how="all")


def load_metrics(run: "str | PathLike[str]") -> "pandas.DataFrame":
    """See `sweeper.load_metrics`."""
    path = Path(run) / METRICS_FILE
    if not path.is_file():
        raise BadInput(f"{run}: there is no {METRICS_FILE}; name the directory of a run that has finished an epoch")
    rows, damage = read_metrics(path)
    if damage and not rows:
        raise BadInput(f"{run}: {damage}")
    frame = _frame(METRICS, rows, dict.fromkeys(METRICS, "float64") | {"epoch": "Int64", "step": "Int64"})
    frame.attrs["damage"] = damage
    return frame


def load_summary(outputs: Folders) -> "pandas.DataFrame":
    """See `sweeper.load_summary`."""
    return summary_frame(summarize(read_results(folders_of(outputs)).runs))


def folders_of(outputs: Folders) -> list["str | PathLike[str]"]:
    return [outputs] if isinstance(outputs, (str, PathLike)) else list(outputs)


def to_frame(results: Results) -> "pandas.DataFrame":
    """The table of `results.csv`, each column of one dtype."""
    frame = _frame(results.columns(), [run.values for run in results.runs], _DTYPES)
    frame.attrs["merged"] = len(results.left_out)
    frame.attrs["repeats"] = count(results.left_out).repeats
    return frame


def summary_frame(summary: Summary) -> "pandas.DataFrame":
    """The table of `summary.csv`, behind a column of the tasks' labels. Lists are lists."""
    frame = _frame(summary.columns(), summary.rows, _SUMMARY_DTYPES)
    _put_lists(frame, summary.rows, [row[LISTS] for row in summary.rows])
    frame.insert(0, "task", [block.label for block in summary.blocks for _ in block.rows])
    return frame


def _frame(names: Sequence[str], rows: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame({name: _series(name, [row.get(name) for row in rows], dtypes) for name in names})


def _series(name: str, values: list[Any], dtypes: Mapping[str, str]) -> "pandas.Series":
    """A column with one dtype: the known one, or one that fits all values; else all values become texts."""
    import pandas

    kinds = {type(value) for value in values if value is not None}
    dtype: str | None = None  # pandas' default for texts
    if name in dtypes or name in FROM_RESULT:
        dtype = dtypes.get(name, "float64")
    elif kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int} and all(value is None or value < 2**63 for value in values):
        dtype = "Int64"
    elif kinds and kinds <= {int, float} and all(value is None or abs(value) < 2**63 for value in values):
        dtype = "float64"
    elif kinds - {str}:
        values = [value if value is None else str(value) for value in values]
    return pandas.Series(values, dtype=dtype)


def _put_lists(frame: "pandas.DataFrame", rows: Sequence[Row], lists: Sequence[Mapping[str, Any]]) -> None:
    """Put whole lists in place of their texts; other rows of such a column keep their values."""
    import pandas

    for name in {name for of_row in lists for name in of_row} & {*frame.columns}:
        values = [of_row.get(name, row.get(name)) for row, of_row in zip(rows, lists, strict=True)]
        frame[name] = pandas.Series(values, dtype="object")
