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

__version__ = "0.1.0"
_install_former_modules()
__all__ = ["__version__", "load_model", "load_results"]


def load_results(outputs: "str | PathLike[str] | Iterable[str | PathLike[str]]" = "outputs") -> "pandas.DataFrame":
    """The runs below one or several folders as a table, one row per run, with the columns of `results.csv`."""
    from sweeper.aggregate.frame import load_results as load

    return load(outputs)


def load_model(run_directory: "str | PathLike[str]", device: str = "cpu") -> "nn.Module":
    """The trained model of a completed run, in evaluation mode.

    Calls the model's `_target_` as the run's `run.json` names it: load runs only of people you trust.

    Raises:
        BadInput: there is no such run, or it was trained with `save_model=false`.
    """
    from sweeper.engine.weights import load_model as load

    return load(run_directory, device)
