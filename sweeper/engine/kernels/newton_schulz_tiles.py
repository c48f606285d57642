"""Where the matrices of Newton-Schulz lie in common buffers, and which program computes which tile of a product.

One launch computes a product of all matrices. Each lies in its buffer as (rows, columns) with rows ≤ columns, filled up
with zeros to whole tiles, so that no kernel needs masks inside the buffers. A table has one line for each program, the
longest sums first, so that the launch doesn't end with one long program alone.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

Tensor = torch.Tensor


class Tile(NamedTuple):
    """The size of a program's tile, of a step of its sum, and how it is computed."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int


class Tiles(NamedTuple):
    """The tiles of each kernel. All sizes are powers of two; `python -m benchmarks.newton_schulz --sweep` tries others.

    Attributes:
        direction: of the kernel that fills the buffer.
        symmetric: of X Xᵀ and of the polynomial; square.
        apply: of the polynomial times X.
        update: of the last such product, which steps the weights and so needs more registers.
    """

    direction: Tile = Tile(32, 128, 64, 8, 1)
    symmetric: Tile = Tile(64, 64, 128, 4, 3)
    apply: Tile = Tile(128, 128, 64, 8, 3)
    update: Tile = Tile(64, 128, 64, 8, 3)

    def pad_rows(self, rows: int) -> int:
        return _round_up(rows, max(size for tile in self for size in (tile.rows, tile.depth)))

    def pad_columns(self, columns: int) -> int:
        return _round_up(columns, max(size for tile in self for size in (tile.columns, tile.depth)))


TILES = Tiles()


class Matrix(NamedTuple):
    """One matrix; all sizes and places are in elements.

    Attributes:
        rows, columns: rows ≤ columns.
        stands: whether the weight is the transposed matrix.
        x: where it begins in the buffer of all matrices.
        gram: where its X Xᵀ begins in the buffer of all of these.
    """

    rows: int
    columns: int
    stands: bool
    padded_rows: int
    padded_columns: int
    x: int
    gram: int


class Plan:
    """The layout of the buffers and the tables of all launches, as int64 tensors on the device.

    Args:
        shapes: of the weights as matrices (outputs, inputs).

    Attributes:
        fields: (matrices, 8): rows, columns, steps in the weight's memory from one row and from one column to the
            next, place and columns in the buffer, first program of `direction` and number of its programs.
        factors: (matrices,): sqrt(max(1, outputs / inputs)).
        direction: (programs, 3): matrix, tile row, tile column.
        gram, polynomial: (programs, 7): matrix, source, its columns, target, its columns, tile row, tile column.
        apply, update: (programs, 7): matrix, polynomial, its columns, x, its columns, tile row, tile column.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], device: torch.device, tiles: Tiles = TILES) -> None:
        self.tiles = tiles
        self.matrices = list(_lay_out(shapes, tiles))
        self.x_size = sum(m.padded_rows * m.padded_columns for m in self.matrices)
        self.gram_size = sum(m.padded_rows**2 for m in self.matrices)

        def table(rows: Sequence[tuple[int, ...]]) -> Tensor:
            return torch.tensor(rows, dtype=torch.int64).to(device)

        direction = [
            (k, i, j)
            for k, m in enumerate(self.matrices)
            for i in range(m.padded_rows // tiles.direction.rows)
            for j in range(m.padded_columns // tiles.direction.columns)
        ]
        self.direction = table(direction)
        fields, first = [], 0
        for k, m in enumerate(self.matrices):
            count = sum(1 for line in direction if line[0] == k)
            down, right = (1, m.rows) if m.stands else (m.columns, 1)
            fields.append((m.rows, m.columns, down, right, m.x, m.padded_columns, first, count))
            first += count
        self.fields = table(fields)
        factors = [(m.columns / m.rows) ** 0.5 if m.stands else 1.0 for m in self.matrices]
        self.factors = torch.tensor(factors, dtype=torch.float32).to(device)

        def symmetric(source: Callable[[Matrix], int], depth: Callable[[Matrix], int]) -> Tensor:
            lines = [
                (k, source(m), depth(m), m.gram, m.padded_rows, i, j)
                for k, m in enumerate(self.matrices)
                for i in range(m.padded_rows // tiles.symmetric.rows)
                for j in range(i + 1)
            ]
            return table(sorted(lines, key=lambda line: -line[2]))

        self.gram = symmetric(lambda m: m.x, lambda m: m.padded_columns)
        self.polynomial = symmetric(lambda m: m.gram, lambda m: m.padded_rows)

        def products(tile: Tile) -> Tensor:
            lines = [
                (k, m.gram, m.padded_rows, m.x, m.padded_columns, i, j)
                for k, m in enumerate(self.matrices)
                for j in range(m.padded_columns // tile.columns)
                for i in range(m.padded_rows // tile.rows)
            ]
            return table(sorted(lines, key=lambda line: -line[2]))

        self.apply, self.update = products(tiles.apply), products(tiles.update)


def _lay_out(shapes: Sequence[tuple[int, int]], tiles: Tiles) -> Iterator[Matrix]:
    x = gram = 0
    for outputs, inputs in shapes:
        rows, columns = sorted((outputs, inputs))
        padded = tiles.pad_rows(rows), tiles.pad_columns(columns)
        yield Matrix(rows, columns, outputs > inputs, *padded, x, gram)
        x += padded[0] * padded[1]
        gram += padded[0] ** 2


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
