"""Tiles cover the matrix, whatever its shape; sizes are powers of two, as the kernels' masks and sums need them."""

import pytest

from sweeper.engine.kernels.tiling import BLOCKS, tiling

SHAPES = [(1, 1), (2, 3), (12, 20), (75, 64), (8192, 512), (131072, 64), (100003, 130), (10**7, 1)]


@pytest.mark.parametrize("kernel", BLOCKS)
@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_every_row_is_in_one_part_and_no_tile_is_twice_as_large_as_the_matrix(kernel, m, c):
    tiles = tiling(kernel, m, c)
    assert tiles.parts * tiles.rows_a_part(m) >= m
    assert tiles.columns < 2 * c and tiles.rows < 2 * tiles.rows_a_part(m)
    assert all(size & (size - 1) == 0 < size for size in (tiles.columns, tiles.rows, tiles.parts, tiles.warps))


def test_the_order_of_summation_belongs_to_the_shape():
    """Another GPU, another number of its processors: the same parts, and so the same bits."""
    assert [tiling("statistics", m, c)[:3] for m, c in SHAPES] == [
        (1, 1, 1), (4, 2, 1), (32, 16, 1), (32, 64, 2), (32, 128, 16), (32, 128, 128), (32, 128, 32), (1, 128, 256)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kernel", "read"), [("statistics", 1), ("normalize", 2), ("gradient_sums", 4), ("input_gradient", 2)]
)
def test_tiles_in_fp32_fit_into_the_shared_memory_of_a_small_gpu(kernel, read):
    tiles = tiling(kernel, 131072, 64)
    assert tiles.columns * tiles.rows * 4 * tiles.stages * read <= 99 * 1024
