"""Optimizers that torch lacks, or whose torch version doesn't serve here. Their values live in `conf/optimizer/`.

They step with a few kernels for all parameters at once and never wait for the device: `lr` may be a 0-dim tensor on
it and the count of steps lives there, so that a step can be part of a CUDA graph. None uses float64, which MPS lacks.
"""

from sweeper.optimizers.lion import Lion
from sweeper.optimizers.muon import Muon
from sweeper.optimizers.sam import SAM
from sweeper.optimizers.sophia import Sophia

__all__ = ["SAM", "Lion", "Muon", "Sophia"]
