"""Triton kernels for batch norm with the residual sum and ReLU after it: two forward, two backward.

An activation of shape (n, c, h, w) in channels_last is a row-major matrix of m = n·h·w rows and c columns. In every
kernel each program processes a range of rows, a *part*, of a few columns. The first kernel of each direction reduces
each part to two numbers per column. In the second one every program reduces the numbers of all parts, in a fixed order,
which saves a third kernel. There are no atomics, so the same input gives the same bits.

Statistics, sums and arithmetic are fp32 for every dtype of the activation. If c is divisible by 16, each thread loads
16 bytes of a matrix at a time. `sweeper/engine/kernels/batch_norm.py` checks the conditions on the arguments.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import nn
from torch.autograd.function import once_differentiable

from sweeper.engine.kernels.tiling import Tiling, tiling

Tensor = torch.Tensor


@triton.jit
def _tile(row, last_row, column, c, ROWS: tl.constexpr):
    """Offsets and mask of the ROWS × COLUMNS elements from `row` on."""
    rows = row + tl.arange(0, ROWS)
    return rows[:, None] * c + column[None, :], (rows < last_row)[:, None] & (column < c)[None, :]


@triton.jit
def _load(matrix, offsets, mask):
    return tl.load(matrix + offsets, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _load_last(matrix, offsets, mask):
    """Load values that aren't read again soon, and evict them first from the L2 cache."""
    return tl.load(matrix + offsets, mask=mask, other=0.0, eviction_policy="evict_first").to(tl.float32)


@triton.jit
def statistics_kernel(
    x, partials, m, c, rows_a_part, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STAGES: tl.constexpr
):  # fmt: skip
    """Write the mean and the sum of squared deviations of each part into `partials` (2, parts, c).

    Values are taken relative to the part's first row, so that a large mean doesn't cause cancellation in the variance.
    """
    part = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    kept = column < c
    first = tl.minimum(part * rows_a_part, m)
    last = tl.minimum(first + rows_a_part, m)
    pivot = _load(x, tl.minimum(first, m - 1) * c + column, kept)
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    squares = tl.zeros((ROWS, COLUMNS), tl.float32)
    for row in tl.range(first, last, ROWS, num_stages=STAGES):
        offsets, mask = _tile(row, last, column, c, ROWS)
        deviation = tl.where(mask, _load(x, offsets, mask) - pivot[None, :], 0.0)
        sums += deviation
        squares += deviation * deviation
    total = tl.sum(sums, 0)
    mean = total / tl.maximum(last - first, 1)
    out = partials + part * c + column
    tl.store(out, pivot + mean, mask=kept)
    tl.store(out + tl.num_programs(0) * c, tl.sum(squares, 0) - total * mean, mask=kept)


@triton.jit
def _load_partials(partials, column, c, PARTS: tl.constexpr):
    """Load the two numbers of all parts, each (PARTS, COLUMNS)."""
    offsets = tl.arange(0, PARTS)[:, None] * c + column[None, :]
    kept = (column < c)[None, :]
    first = tl.load(partials + offsets, mask=kept, other=0.0)
    second = tl.load(partials + PARTS * c + offsets, mask=kept, other=0.0)
    return first, second


@triton.jit
def _combine_statistics(partials, column, m, c, rows_a_part, PARTS: tl.constexpr):
    """Mean and biased variance over all rows, combined from the parts (Chan, Golub and LeVeque, 1979)."""
    means, squares = _load_partials(partials, column, c, PARTS)
    begin = tl.arange(0, PARTS) * rows_a_part
    counts = tl.minimum(tl.maximum(m - begin, 0), rows_a_part).to(tl.float32)[:, None]
    mean = tl.sum(means * counts, 0) / m
    deviation = means - mean[None, :]
    variance = tl.sum(squares + counts * deviation * deviation, 0) / m
    return mean, tl.where(variance < 0, 0.0, variance)  # rounding may give a value below 0; NaN stays


@triton.jit
def normalize_kernel(
    x, residual, y, weight, bias, partials, mean_out, invstd_out, running_mean, running_var, batches,
    m, c, rows_a_part, rows_a_program, momentum, eps,
    RELU: tl.constexpr, PARTS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """y = x̂·weight + bias, plus `residual` if given, with ReLU if RELU.

    With `partials` it normalizes by the batch's statistics, saves them for backward in `mean_out` and `invstd_out` and
    updates the running statistics; without, it normalizes by the running statistics.
    """
    part = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    kept = column < c
    if partials is None:
        mean = _load(running_mean, column, kept)
        invstd = tl.rsqrt(_load(running_var, column, kept) + eps)
    else:
        mean, variance = _combine_statistics(partials, column, m, c, rows_a_part, PARTS)
        invstd = tl.rsqrt(variance + eps)
        if part == 0:
            tl.store(mean_out + column, mean, mask=kept)
            tl.store(invstd_out + column, invstd, mask=kept)
            unbiased = variance * (m / (m - 1.0))
            old_mean, old_var = _load(running_mean, column, kept), _load(running_var, column, kept)
            tl.store(running_mean + column, old_mean + momentum * (mean - old_mean), mask=kept)
            tl.store(running_var + column, old_var + momentum * (unbiased - old_var), mask=kept)
            if tl.program_id(1) == 0:
                tl.store(batches, tl.load(batches) + 1)
    scale, shift = _scale_and_shift(weight, bias, mean, invstd, column, kept)
    first = part * rows_a_program
    last = tl.minimum(first + rows_a_program, m)
    for row in tl.range(first, last, ROWS, num_stages=STAGES):
        offsets, mask = _tile(row, last, column, c, ROWS)
        out = _load_last(x, offsets, mask) * scale[None, :] + shift[None, :]
        if residual is not None:
            out += _load_last(residual, offsets, mask)
        if RELU:
            out = tl.where(out <= 0, 0.0, out)  # keeps NaN, unlike a maximum, so that divergence is detected
        tl.store(y + offsets, out, mask=mask)


@triton.jit
def _scale_and_shift(weight, bias, mean, invstd, column, kept):
    scale = _load(weight, column, kept) * invstd
    return scale, _load(bias, column, kept) - mean * scale


@triton.jit
def gradient_sums_kernel(
    dy, dy2, x, y, dz, weight, bias, mean, invstd, partials, m, c, rows_a_part,
    RELU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the sums of dz and dz·(x - mean) of each part into `partials` (2, parts, c).

    dz = dy [+ dy2] where ReLU passed its input, that is where y > 0; without y this is recomputed from x. dz itself is
    written if needed: as the residual's gradient, or so that the next kernel reads one gradient instead of two.
    """
    part = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    kept = column < c
    center = _load(mean, column, kept)
    scale, shift = _scale_and_shift(weight, bias, center, _load(invstd, column, kept), column, kept)
    first = part * rows_a_part
    last = tl.minimum(first + rows_a_part, m)
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    products = tl.zeros((ROWS, COLUMNS), tl.float32)
    for row in tl.range(first, last, ROWS, num_stages=STAGES):
        offsets, mask = _tile(row, last, column, c, ROWS)
        gradient = _load(dy, offsets, mask)
        value = _load(x, offsets, mask)
        if dy2 is not None:
            gradient += _load_last(dy2, offsets, mask)
        if RELU:
            out = value * scale[None, :] + shift[None, :] if y is None else _load_last(y, offsets, mask)
            gradient = tl.where(out <= 0, 0.0, gradient)
        if dz is not None:
            tl.store(dz + offsets, gradient, mask=mask)
        sums += gradient
        products += gradient * (value - center[None, :])
    out = partials + part * c + column
    tl.store(out, tl.sum(sums, 0), mask=kept)
    tl.store(out + tl.num_programs(0) * c, tl.sum(products, 0), mask=kept)


@triton.jit
def input_gradient_kernel(
    dz, x, dx, weight, bias, mean, invstd, partials, dweight, dbias, m, c, rows_a_program,
    RELU: tl.constexpr, PARTS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """dx = (dz - mean(dz) - x̂·mean(dz·x̂))·invstd·weight, and the gradients of weight and bias (arXiv 1502.03167).

    With RELU, `dz` is the incoming dy, and ReLU's mask is recomputed from x.
    """
    part = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    kept = column < c
    center, inverse = _load(mean, column, kept), _load(invstd, column, kept)
    scale, shift = _scale_and_shift(weight, bias, center, inverse, column, kept)
    sums, products = _load_partials(partials, column, c, PARTS)
    total, product = tl.sum(sums, 0), tl.sum(products, 0) * inverse
    if part == 0:
        tl.store(dbias + column, total, mask=kept)
        tl.store(dweight + column, product, mask=kept)
    mean_dz, slope = total / m, product / m * inverse
    first = part * rows_a_program
    last = tl.minimum(first + rows_a_program, m)
    for row in tl.range(first, last, ROWS, num_stages=STAGES):
        offsets, mask = _tile(row, last, column, c, ROWS)
        gradient = _load_last(dz, offsets, mask)
        value = _load_last(x, offsets, mask)
        if RELU:
            gradient = tl.where(value * scale[None, :] + shift[None, :] <= 0, 0.0, gradient)
        out = (gradient - mean_dz[None, :] - (value - center[None, :]) * slope[None, :]) * scale[None, :]
        tl.store(dx + offsets, out, mask=mask)


class BatchNorm(torch.autograd.Function):
    """Training-mode batch norm of `x` (n, c, h, w) with sum and ReLU; updates the running statistics.

    Returns y or, with `twice`, y and an alias of it, whose gradients the backward kernel adds.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        residual: Tensor | None,
        norm: nn.BatchNorm2d,
        relu: bool,
        twice: bool,
    ) -> Tensor | tuple[Tensor, Tensor]:
        m, c = _matrix(x)
        first, second = tiling("statistics", m, c), tiling("normalize", m, c)
        partials = torch.empty((2, first.parts, c), dtype=torch.float32, device=x.device)
        mean, invstd = torch.empty((2, c), dtype=torch.float32, device=x.device)
        y = torch.empty_like(x, memory_format=torch.channels_last)
        rows = first.rows_a_part(m)
        _launch(statistics_kernel, first, x, partials, m, c, rows)
        _launch(
            normalize_kernel, second, x, residual, y, weight, bias, partials, mean, invstd, *_running(norm),
            m, c, rows, second.rows_a_part(m), norm.momentum, norm.eps, RELU=relu, PARTS=first.parts,
        )  # fmt: skip
        ctx.relu, ctx.has_residual = relu, residual is not None
        ctx.save_for_backward(x, weight, bias, mean, invstd, y if relu and ctx.has_residual else None)
        ctx.set_materialize_grads(False)
        return (y, y.view_as(y)) if twice else y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, invstd, y = ctx.saved_tensors
        dys = [dy.contiguous(memory_format=torch.channels_last) for dy in gradients if dy is not None]
        if not dys:
            return (None,) * 7
        dy, dy2 = dys[0], dys[1] if len(dys) > 1 else None
        m, c = _matrix(x)
        first, second = tiling("gradient_sums", m, c), tiling("input_gradient", m, c)
        partials = torch.empty((2, first.parts, c), dtype=torch.float32, device=x.device)
        dx = torch.empty_like(x, memory_format=torch.channels_last)
        dweight, dbias = torch.empty_like(weight), torch.empty_like(bias)
        dz = torch.empty_like(dx) if y is not None or dy2 is not None else None
        vectors = (weight, bias, mean, invstd, partials)
        _launch(gradient_sums_kernel, first, dy, dy2, x, y, dz, *vectors, m, c, first.rows_a_part(m), RELU=ctx.relu)
        relu = ctx.relu and dz is None
        dz = dy if dz is None else dz
        _launch(
            input_gradient_kernel, second, dz, x, dx, *vectors, dweight, dbias, m, c, second.rows_a_part(m),
            RELU=relu, PARTS=first.parts,
        )  # fmt: skip
        return dx, dweight, dbias, dz if ctx.has_residual else None, None, None, None


def normalize(x: Tensor, residual: Tensor | None, norm: nn.BatchNorm2d, relu: bool) -> Tensor:
    """Batch norm with sum and ReLU by the running statistics, for evaluation; it has no backward pass."""
    m, c = _matrix(x)
    t = tiling("normalize", m, c)
    y = torch.empty_like(x, memory_format=torch.channels_last)
    _launch(
        normalize_kernel, t, x, residual, y, norm.weight, norm.bias, None, None, None, *_running(norm),
        m, c, 0, t.rows_a_part(m), 0.0, norm.eps, RELU=relu, PARTS=t.parts,
    )  # fmt: skip
    return y


def _matrix(x: Tensor) -> tuple[int, int]:
    return x.numel() // x.shape[1], x.shape[1]


def _running(norm: nn.BatchNorm2d) -> tuple[Any, Any, Any]:
    return norm.running_mean, norm.running_var, norm.num_batches_tracked


def _launch(kernel: Any, t: Tiling, *arguments: Any, **constants: Any) -> None:
    grid = (t.parts, triton.cdiv(arguments[0].shape[1], t.columns))
    with torch.cuda.device_of(arguments[0]):  # Triton launches on the current device
        kernel[grid](*arguments, ROWS=t.rows, COLUMNS=t.columns, STAGES=t.stages, num_warps=t.warps, **constants)
