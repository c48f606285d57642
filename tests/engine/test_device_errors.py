"""An error of the device is known by its class or words."""

import pytest
import torch

from sweeper.engine.device_errors import is_of_device, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),  # the driver's, e.g. where a graph is made
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 768000000000 bytes."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("out of memory"), False),  # a user's own
    ],
)
def test_memory_that_ran_out_is_known_by_its_words(error, is_it):
    assert is_out_of_memory(error) is is_it


def test_what_tells_of_the_device_alone_is_known():
    assert is_of_device(torch.cuda.OutOfMemoryError("CUDA out of memory")) and is_of_device(
        RuntimeError("CUDA error: device-side assert triggered")
    )
    assert not is_of_device(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_of_device(ValueError("CUDA error"))
