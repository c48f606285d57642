"""Divides an (m, c) matrix among the programs of the kernels in `sweeper/engine/kernels/batch_norm_kernels.py`.

The tiling depends only on the shape, not on the GPU, so the order of summation and the result do, too.
"""

from typing import NamedTuple


class Blocks(NamedTuple):
    """The size of a program's tiles, and the number of programs."""

    columns: int = 32  # of a tile; 64 bytes of bf16, one access of DRAM
    rows: int = 128  # of a tile: 32 values per thread and matrix, in four loads of 16 bytes for bf16
    programs: int = 256  # approximately; two for each of an H100's 132 processors
    warps: int = 4
    stages: int = 3  # tiles that are loaded ahead


class Tiling(NamedTuple):
    """Each program processes `columns` columns of one of `parts` parts of the rows, `rows` rows at a time."""

    columns: int
    rows: int
    parts: int
    warps: int
    stages: int

    def rows_a_part(self, m: int) -> int:
        return -(-m // self.parts)


# Within 3 % of the best that `python -m benchmarks.tilings` found for the activations of ResNet-18 on an H200. Tiles
# that are loaded ahead must fit into the shared memory of a small GPU, 99 KB, in fp32 too.
BLOCKS = {
    "statistics": Blocks(),
    "normalize": Blocks(),
    "gradient_sums": Blocks(rows=64),  # reads up to four matrices
    "input_gradient": Blocks(),
}


def tiling(kernel: str, m: int, c: int) -> Tiling:
    """The tiling of an (m, c) matrix; all sizes are powers of two, smaller than the kernel's for a small matrix."""
    blocks = BLOCKS[kernel]
    columns = min(blocks.columns, _power_of_2_from(c))
    programs = max(1, min(blocks.programs // -(-c // columns), -(-m // 32)))
    parts = 1 << (programs.bit_length() - 1)
    rows = min(blocks.rows, _power_of_2_from(-(-m // parts)))
    return Tiling(columns, rows, parts, blocks.warps, blocks.stages)


def _power_of_2_from(n: int) -> int:
    return 1 << (n - 1).bit_length()
