"""Triton kernels for Newton-Schulz of many matrices: X ← (a I + b X Xᵀ + c (X Xᵀ)²) X, three launches an iteration.

They compute what `newton_schulz` in `sweeper/optimizers/muon.py` does, with products of bf16 summed in fp32. X Xᵀ and
the polynomial are symmetric: their tiles above the diagonal are mirrored. The first iteration divides by the norm, so X
itself isn't normalized first, and the last one updates the weights instead of writing X.
"""

import torch
import triton
import triton.language as tl

from sweeper.engine.kernels.elementwise_kernels import pointer
from sweeper.engine.kernels.newton_schulz_tiles import Plan
from sweeper.optimizers.muon import NEWTON_SCHULZ

Tensor = torch.Tensor


@triton.jit
def scale_kernel(partials, fields, scales, BLOCK: tl.constexpr):
    """scales = 1 / (norm + 1e-7) of each matrix, from the sums of squares of its tiles, added in a fixed order."""
    matrix = tl.program_id(0)
    first, count = tl.load(fields + 8 * matrix + 6), tl.load(fields + 8 * matrix + 7).to(tl.int32)
    place = tl.arange(0, BLOCK)
    squares = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, count, BLOCK):
        squares += tl.load(partials + first + start + place, mask=start + place < count, other=0.0)
    tl.store(scales + matrix, 1 / (tl.sqrt(tl.sum(squares, 0)) + 1e-7))


@triton.jit
def _tile(matrix, columns, row, column, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Pointers to a tile of a row-major matrix in a buffer; `row` and `column` are those of its corner."""
    pointers = matrix + (row * columns + column)
    pointers += tl.arange(0, ROWS)[:, None] * columns.to(tl.int32) + tl.arange(0, COLUMNS)[None, :]
    return tl.multiple_of(pointers, [1, 16])


@triton.jit
def symmetric_kernel(
    sources, targets, tiles, scales, a, b, c,
    NORMALIZE: tl.constexpr, POLYNOMIAL: tl.constexpr,
    TILE: tl.constexpr, DEPTH: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """One tile on or below the diagonal of S Sᵀ, or with POLYNOMIAL of a I + b S + c S Sᵀ, and the mirrored tile."""
    line = tiles + 7 * tl.program_id(0)
    source, depth = sources + tl.load(line + 1), tl.load(line + 2)
    target, columns = targets + tl.load(line + 3), tl.load(line + 4)
    row, column = tl.load(line + 5) * TILE, tl.load(line + 6) * TILE
    left = _tile(source, depth, row, 0, TILE, DEPTH)
    right = _tile(source, depth, column, 0, TILE, DEPTH)
    total = tl.zeros((TILE, TILE), tl.float32)
    for _ in tl.range(0, depth.to(tl.int32), DEPTH, num_stages=STAGES):
        total = tl.dot(tl.load(left), tl.trans(tl.load(right)), total)
        left += DEPTH
        right += DEPTH
    if NORMALIZE:
        scale = tl.load(scales + tl.load(line))
        total *= scale * scale
    if POLYNOMIAL:
        gram = tl.load(_tile(source, depth, row, column, TILE, TILE)).to(tl.float32)
        total = c * total + b * gram
        place = tl.arange(0, TILE)
        total += tl.where((row + place)[:, None] == (column + place)[None, :], a, 0.0)
    tile = total.to(targets.dtype.element_ty)
    tl.store(_tile(target, columns, row, column, TILE, TILE), tile)
    if row != column:
        tl.store(_tile(target, columns, column, row, TILE, TILE), tl.trans(tile))


@triton.jit
def apply_kernel(
    polynomials, sources, targets, tiles, scales, addresses, fields, factors, lr, weight_decay,
    NORMALIZE: tl.constexpr, UPDATE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """One tile of polynomial · X; with UPDATE the weights are stepped by it instead of writing it."""
    line = tiles + 7 * tl.program_id(0)
    matrix = tl.load(line)
    depth, columns = tl.load(line + 2), tl.load(line + 4)
    row, column = tl.load(line + 5) * ROWS, tl.load(line + 6) * COLUMNS
    left = _tile(polynomials + tl.load(line + 1), depth, row, 0, ROWS, DEPTH)
    right = _tile(sources + tl.load(line + 3), columns, 0, column, DEPTH, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for _ in tl.range(0, depth.to(tl.int32), DEPTH, num_stages=STAGES):
        total = tl.dot(tl.load(left), tl.load(right), total)
        left += DEPTH
        right += DEPTH * columns
    if NORMALIZE:
        total *= tl.load(scales + matrix)
    if UPDATE:
        rate = tl.load(lr)
        update = rate * tl.load(factors + matrix) * total
        decay = 1 - rate * weight_decay
        field = fields + 8 * matrix
        height, width = tl.load(field), tl.load(field + 1)
        down, right_step = tl.load(field + 2), tl.load(field + 3)
        corner = pointer(addresses, matrix) + (row * down + column * right_step)
        below = tl.arange(0, ROWS)[:, None] * down.to(tl.int32)
        if (right_step == 1) & (width % 4 == 0) & (row + ROWS <= height) & (column + COLUMNS <= width):
            whole = tl.multiple_of(corner + (below + tl.arange(0, COLUMNS)[None, :]), [1, 16])
            tl.store(whole, tl.load(whole) * decay - update)
        else:
            some = corner + (below + tl.arange(0, COLUMNS)[None, :] * right_step.to(tl.int32))
            inside = (row + tl.arange(0, ROWS) < height)[:, None] & (column + tl.arange(0, COLUMNS) < width)[None, :]
            tl.store(some, tl.load(some, mask=inside) * decay - update, mask=inside)
    else:
        tile = _tile(targets + tl.load(line + 3), columns, row, column, ROWS, COLUMNS)
        tl.store(tile, total.to(targets.dtype.element_ty))


class Products:
    """The buffers of a plan, and the launches of all iterations.

    Attributes:
        x: to be filled before `run`, as the plan lays it out.
        partials: the sum of squares of each tile of `plan.direction`, likewise.
    """

    def __init__(self, plan: Plan, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> None:
        self.plan = plan
        self.x, self._other = (torch.zeros(plan.x_size, dtype=dtype, device=device) for _ in range(2))
        self._gram, self._polynomial = (torch.zeros(plan.gram_size, dtype=dtype, device=device) for _ in range(2))
        self.partials = torch.zeros(len(plan.direction), device=device)
        self._scales = torch.zeros(len(plan.matrices), device=device)

    def run(self, steps: int, addresses: Tensor, lr: Tensor, weight_decay: float) -> None:
        """Orthogonalize x and step the weights, whose addresses are the first in the table. Leaves x undefined."""
        plan, (a, b, c) = self.plan, NEWTON_SCHULZ
        scale_kernel[(len(plan.matrices),)](self.partials, plan.fields, self._scales, BLOCK=1024, num_warps=4)
        x, other = self.x, self._other
        for k in range(steps):
            tile = plan.tiles.symmetric
            for source, target, table, polynomial in (
                (x, self._gram, plan.gram, False),
                (self._gram, self._polynomial, plan.polynomial, True),
            ):
                symmetric_kernel[(len(table),)](
                    source, target, table, self._scales, a, b, c, NORMALIZE=k == 0 and not polynomial,
                    POLYNOMIAL=polynomial, TILE=tile.rows, DEPTH=tile.depth, STAGES=tile.stages, num_warps=tile.warps,
                )  # fmt: skip
            last = k == steps - 1
            tile, table = (plan.tiles.update, plan.update) if last else (plan.tiles.apply, plan.apply)
            apply_kernel[(len(table),)](
                self._polynomial, x, other, table, self._scales, addresses, plan.fields, plan.factors, lr,
                float(weight_decay), NORMALIZE=k == 0, UPDATE=last,
                ROWS=tile.rows, COLUMNS=tile.columns, DEPTH=tile.depth, STAGES=tile.stages, num_warps=tile.warps,
            )  # fmt: skip
            x, other = other, x
