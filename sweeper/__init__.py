"""Which optimizer is better here? A sweep runner that answers fast and honestly."""

# ruff: noqa: E402

from sweeper.system.module_path import leave_out_working_folder

leave_out_working_folder()  # before anything else is imported

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING

from sweeper.system.former_modules import install as _install_former_modules

if TYPE_CHECKING:
    import pandas
    from torch import nn

    from sweeper.aggregate.findings import Findings

__version__ = "0.1.0"
_install_former_modules()
__all__ = ["__version__", "compare", "load_metrics", "load_model", "load_results", "load_summary"]


def load_results(outputs: "str | PathLike[str] | Iterable[str | PathLike[str]]" = "outputs") -> "pandas.DataFrame":
    """The runs below one or several folders as a table, one row per run, with the columns of `results.csv`.

    Besides these there is `path`, the run's directory. Lists are lists. A column that is empty in every row is left
    out. `attrs["merged"]` is the number of runs that were left out since another one of their configuration and seed
    counts; `attrs["repeats"]` of those among them that ended otherwise than it. Accuracies are in [0, 1], times in
    seconds; `steps_to_target` is `inf` if the target was never reached; of a diverged run it may be a time before that,
    which the page counts as never reached.

    Raises:
        BadInput: a folder doesn't exist or has no runs.
    """
    from sweeper.aggregate.frame import load_results as load

    return load(outputs)


def load_metrics(run: "str | PathLike[str]") -> "pandas.DataFrame":
    """The curves of one run, one row per epoch, with the columns of `metrics.csv`.

    `attrs["damage"]` says why later rows of the file couldn't be read; None if there are none.

    Args:
        run: its directory, as in the column `path` of `load_results`.

    Raises:
        BadInput: it has no metrics, or none that can be read.
    """
    from sweeper.aggregate.frame import load_metrics as load

    return load(run)


def load_summary(outputs: "str | PathLike[str] | Iterable[str | PathLike[str]]" = "outputs") -> "pandas.DataFrame":
    """The runs below one or several folders over their seeds, one row per configuration.

    The columns are those of `summary.csv` behind `task`, within which rows may be compared. Lists are lists.

    Raises:
        BadInput: a folder doesn't exist or has no runs.
    """
    from sweeper.aggregate.frame import load_summary as load

    return load(outputs)


def compare(
    results: "pandas.DataFrame | str | PathLike[str] | Iterable[str | PathLike[str]]" = "outputs",
    margin: float | None = None,
) -> "Findings":
    """Compare the optimizers on each task: the answer in words, intervals of all pairs, groups and summary.

    Args:
        results: a table of `load_results`, whole or some of its rows, or folders. The runs are read again from their
            directories.
        margin: of equivalence, as a share in (0, 1). It counts only if it was fixed before the runs.

    Raises:
        BadInput: a folder or a run doesn't exist, or the table has no column `path`.
    """
    from sweeper.aggregate.findings import compare as find

    return find(results, margin)


def load_model(run_directory: "str | PathLike[str]", device: str = "cpu") -> "nn.Module":
    """The trained model of a completed run, in evaluation mode.

    Calls the model's `_target_` as the run's `run.json` names it: load runs only of people you trust.

    Raises:
        BadInput: there is no such run, or it was trained with `save_model=false`.
    """
    from sweeper.engine.weights import load_model as load

    return load(run_directory, device)
