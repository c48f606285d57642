"""Optimizers that torch lacks, or whose torch version isn't suitable here. Their values are in `conf/optimizer/`.

They step with a few kernels for all parameters and never wait for the device: `lr` may be a 0-dim tensor on the device,
and the step count is on the device, so that a step can be part of a CUDA graph. None uses float64, which MPS lacks.
"""

from sweeper.optimizers.lion import Lion
from sweeper.optimizers.muon import Muon
from sweeper.optimizers.sam import SAM
from sweeper.optimizers.sophia import Sophia

__all__ = ["SAM", "Lion", "Muon", "Sophia"]
