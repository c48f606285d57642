"""Detects whether Triton kernels can run on a device."""

import functools
import importlib.util
import os
import shutil
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@functools.cache
def triton_serves(device: "torch.device") -> bool:
    """Whether our kernels run on the device: CUDA of compute capability 8.0 or later, with Triton and its compiler."""
    import torch

    compiler = os.environ.get("CC") or any(map(shutil.which, ("gcc", "clang")))
    headers = os.path.exists(os.path.join(sysconfig.get_config_var("INCLUDEPY") or "", "Python.h"))
    if device.type != "cuda" or importlib.util.find_spec("triton") is None or not compiler or not headers:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)
