"""Commands that files' permissions hold for, whoever runs the tests."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import merged

_DROP_FROM_BOUNDING_SET = 24  # of <linux/prctl.h>
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of <linux/capability.h>


def run_held(module: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python -m sweeper.<module> …` in `cwd`, for which a file of mode 000 can't be read: not by root either."""
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root can read everything here")
    command = [sys.executable, "-m", f"sweeper.{module}", *merged(*arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, preexec_fn=_give_up_overrides
    )


def _give_up_overrides() -> None:
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            if ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0) != 0:
                raise OSError("prctl")
