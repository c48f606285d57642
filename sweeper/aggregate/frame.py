"""The rows of the runs as a pandas table."""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from sweeper.runs.metrics import FROM_RESULT
from sweeper.runs.results import Results, read_results

if TYPE_CHECKING:
    import pandas

_DTYPES = {"noise_rate": "float64", "lr": "float64", "weight_decay": "float64"} | {
    "best_epoch": "Int64",
    "peak_memory_bytes": "Int64",
    "epochs": "Int64",
    "batch_size": "Int64",
    "shared_device": "boolean",
    "versions_differ": "boolean",
}


def load_results(outputs: "str | PathLike[str] | Iterable[str | PathLike[str]]") -> "pandas.DataFrame":
    """See `sweeper.load_results`. The table's `attrs["merged"]` is the number of copies that were left out.

    Accuracies are in [0, 1], times in seconds; `steps_to_target` is `inf` if the target was never reached.

    Raises:
        BadInput: a folder doesn't exist or has no runs.
    """
    return to_frame(read_results([outputs] if isinstance(outputs, (str, PathLike)) else outputs))


def to_frame(results: Results) -> "pandas.DataFrame":
    import pandas

    columns = {name: [run.values.get(name) for run in results.runs] for name in results.columns()}
    frame = pandas.DataFrame({name: _series(name, values) for name, values in columns.items()})
    frame.attrs["merged"] = results.merged
    return frame


def _series(name: str, values: list[Any]) -> "pandas.Series":
    """A column with one dtype: the known one, or one that fits all values; else all values become texts."""
    import pandas

    kinds = {type(value) for value in values if value is not None}
    dtype: str | None = None  # pandas' default for texts
    if name in _DTYPES or name in FROM_RESULT:
        dtype = _DTYPES.get(name, "float64")
    elif kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int} and all(value is None or value < 2**63 for value in values):
        dtype = "Int64"
    elif kinds and kinds <= {int, float} and all(value is None or abs(value) < 2**63 for value in values):
        dtype = "float64"
    elif kinds - {str}:
        values = [value if value is None else str(value) for value in values]
    return pandas.Series(values, dtype=dtype)
