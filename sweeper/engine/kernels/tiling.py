"""How the kernels of `sweeper/engine/kernels/batch_norm_kernels.py` divide an (m, c) matrix among programs.

It depends on the shape alone, not on the GPU: the order of summation, and so the result, belongs to the shape.
"""

from typing import NamedTuple


class Blocks(NamedTuple):
    """What a program works on at a time, and how many programs there are."""

    columns: int = 32  # of a tile; 64 bytes of bf16, what DRAM hands out at a time
    rows: int = 256  # of a tile: 32 values a thread and matrix, in four loads of 16 bytes for bf16
    programs: int = 256  # about; two for each of an H100's 132 processors
    warps: int = 8
    stages: int = 1  # tiles on their way at a time


class Tiling(NamedTuple):
    """Each program takes `columns` columns of one of `parts` parts of the rows, `rows` rows at a time."""

    columns: int
    rows: int
    parts: int
    warps: int
    stages: int

    def rows_a_part(self, m: int) -> int:
        return -(-m // self.parts)


# By kernel, and by kernel and c where `python -m benchmarks.batch_norm --sweep` found better ones.
BLOCKS: dict[str | tuple[str, int], Blocks] = {
    "statistics": Blocks(),
    "normalize": Blocks(),
    "gradient_sums": Blocks(rows=128),  # more sums and matrices than registers for 256
    "input_gradient": Blocks(warps=4),
    ("statistics", 64): Blocks(warps=4, stages=3),
    ("statistics", 128): Blocks(warps=4, stages=3),
    ("statistics", 256): Blocks(warps=4, stages=2),
    ("normalize", 64): Blocks(warps=16),
    ("normalize", 128): Blocks(warps=4),
    ("normalize", 256): Blocks(warps=4),
}


def tiling(kernel: str, m: int, c: int) -> Tiling:
    """All sizes are powers of two, and smaller than the kernel's blocks where the matrix is."""
    blocks = BLOCKS.get((kernel, c), BLOCKS[kernel])
    columns = min(blocks.columns, _power_of_2_from(c))
    programs = max(1, min(blocks.programs // -(-c // columns), -(-m // 32)))
    parts = 1 << (programs.bit_length() - 1)
    rows = min(blocks.rows, _power_of_2_from(-(-m // parts)))
    return Tiling(columns, rows, parts, blocks.warps, blocks.stages)


def _power_of_2_from(n: int) -> int:
    return 1 << (n - 1).bit_length()
