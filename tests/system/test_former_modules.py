"""What earlier versions documented is still imported by its name, and is the thing of today."""

import importlib
import subprocess
import sys

import pytest

from sweeper.system.former_modules import FORMER_MODULES


@pytest.mark.parametrize("former", FORMER_MODULES)
def test_a_former_module_is_the_one_of_today(former):
    assert importlib.import_module(former) is importlib.import_module(FORMER_MODULES[former])


def test_users_code_of_before_still_imports(tmp_path):
    code = (
        "from sweeper.data import RawData\n"
        "from sweeper.errors import BadInput\n"
        "import sweeper.tracking, sweeper.datasets, sweeper.system.errors, sweeper.train.trackers.tracking\n"
        "assert RawData is sweeper.datasets.RawData and BadInput is sweeper.system.errors.BadInput\n"
        "assert sweeper.tracking.Tracker is sweeper.train.trackers.tracking.Tracker\n"
        "from sweeper.trackers.tensorboard import TensorBoard\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"sweeper\.dta"):
        importlib.import_module("sweeper.dta")
