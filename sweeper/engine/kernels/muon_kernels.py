"""A Triton kernel for Muon's momentum, and the step of a group of hidden weights."""

import torch
import triton
import triton.language as tl
from torch.optim import Optimizer

from sweeper.engine.kernels.elementwise_kernels import lerp, pointer
from sweeper.engine.kernels.newton_schulz_kernels import Products
from sweeper.engine.kernels.newton_schulz_tiles import TILES, Plan, Tiles
from sweeper.engine.kernels.optimizer_group import Group


@triton.jit
def _direction(momentum, gradient, mask, mu, NESTEROV: tl.constexpr):
    """Update the momentum; returns the direction."""
    g = tl.load(gradient, mask=mask)
    m = tl.load(momentum, mask=mask)
    m = lerp(m, g, 1 - mu)
    tl.store(momentum, m, mask=mask)
    if NESTEROV:
        m = lerp(g, m, mu)
    return m


@triton.jit
def direction_kernel(
    addresses, tensors, fields, tiles, x, partials, mu,
    NESTEROV: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Update the momentum of one tile and write the direction into x, and its sum of squares into `partials`.

    `addresses` are of `tensors` weights, gradients and momenta.
    """
    program = tl.program_id(0)
    matrix = tl.load(tiles + 3 * program)
    row, column = tl.load(tiles + 3 * program + 1) * ROWS, tl.load(tiles + 3 * program + 2) * COLUMNS
    field = fields + 8 * matrix
    height, width = tl.load(field), tl.load(field + 1)
    down, right = tl.load(field + 2), tl.load(field + 3)
    i, j = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    corner = row * down + column * right
    gradient = pointer(addresses, tensors + matrix) + corner
    momentum = pointer(addresses, 2 * tensors + matrix) + corner
    if (right == 1) & (width % 4 == 0) & (row + ROWS <= height) & (column + COLUMNS <= width):
        places = i[:, None] * down.to(tl.int32) + j[None, :]
        direction = _direction(
            tl.multiple_of(momentum + places, [1, 16]), tl.multiple_of(gradient + places, [1, 16]), None, mu, NESTEROV
        )
    else:
        places = i[:, None] * down.to(tl.int32) + j[None, :] * right.to(tl.int32)
        inside = (row + i < height)[:, None] & (column + j < width)[None, :]
        direction = _direction(momentum + places, gradient + places, inside, mu, NESTEROV)
        direction = tl.where(inside, direction, 0.0)
    tl.store(partials + program, tl.sum(tl.sum(direction * direction, 1), 0))
    columns = tl.load(field + 5)
    target = x + (tl.load(field + 4) + row * columns + column)
    target += i[:, None] * columns.to(tl.int32) + j[None, :]
    tl.store(tl.multiple_of(target, [1, 16]), direction.to(x.dtype.element_ty))


class HiddenGroup(Group):
    """The step of a group of `sweeper.optimizers.Muon` with the role "hidden"."""

    STATE = ("momentum_buffer",)

    def __init__(
        self, optimizer: Optimizer, number: int, dtype: torch.dtype = torch.bfloat16, tiles: Tiles = TILES
    ) -> None:
        super().__init__(optimizer, number)
        shapes = [(p.shape[0], p[0].numel()) for p in self.params]
        self.products = Products(Plan(shapes, self.device, tiles), self.device, dtype)

    def step(self) -> None:
        options, plan = self.options, self.products.plan
        self.write_addresses()
        tile = plan.tiles.direction
        direction_kernel[(len(plan.direction),)](
            self.addresses.table, len(self.params), plan.fields, plan.direction, self.products.x,
            self.products.partials, float(options["momentum"]), NESTEROV=bool(options["nesterov"]),
            ROWS=tile.rows, COLUMNS=tile.columns, num_warps=tile.warps,
        )  # fmt: skip
        self.products.run(
            options["newton_schulz_steps"], self.addresses.table, self.rate(), float(options["weight_decay"])
        )
