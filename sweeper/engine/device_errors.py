"""Knows an error of the device itself by its class or words, whatever was to be computed."""

from sweeper.system.errors import message_of

_NO_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means out of memory, by its class or by the message of the driver or a library."""
    import torch

    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in message_of(error) for words in _NO_MEMORY)


def is_of_device(error: BaseException) -> bool:
    """Whether an error tells of the device alone, whatever it was to compute: out of memory, or of its driver."""
    return is_out_of_memory(error) or is_of_driver(error)


def is_of_driver(error: BaseException) -> bool:
    """Whether an error comes from the GPU's driver."""
    return isinstance(error, RuntimeError) and "CUDA error" in message_of(error)
