"""Triton's kernels as tests call them: on a GPU, or in Triton's interpreter on the CPU, which is a process's choice.

`tests/engine/kernels/test_triton.py` starts the process in which tests with `in_the_interpreter` run.
"""

import os

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

# Relative to each tensor's largest value: fp32 rounds at 6e-8, fp16 at 5e-4, bf16 at 4e-3.
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}

in_the_interpreter = pytest.mark.skipif(not INTERPRETED, reason="run in a process of its own by test_triton.py")
on_a_gpu = pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
