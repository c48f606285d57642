"""Triton kernels for the gradient of a first layer's 3×3 weight; for few input channels cuDNN takes twice as long.

All 9·c_in values of a window are the rows of one matrix product, whose tiles are gathered from the image. Each program
sums over a range of pixels, a *part*; a second kernel sums the parts in order, so the same input gives the same bits.
"""

import torch
import triton
import triton.language as tl

Tensor = torch.Tensor

PARTS = 128  # programs; an H100 has 132 processors
ROWS = 64


@triton.jit
def gradient_kernel(
    x, dy, out, m, c_in, rows_a_part,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr, C_OUT: tl.constexpr, WINDOW: tl.constexpr, ROWS: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Write each part's gradient into `out` (parts, c_out, 9·c_in); rows of x (m, c_in), dy (m, c_out) are pixels."""
    part = tl.program_id(0)
    place = tl.arange(0, WINDOW)
    tap, channel = place // c_in, place % c_in
    down, right = tap // 3 - 1, tap % 3 - 1
    column = tl.arange(0, C_OUT)
    total = tl.zeros((WINDOW, C_OUT), tl.float32)
    first = part * rows_a_part
    last = tl.minimum(first + rows_a_part, m)
    for row in tl.range(first, last, ROWS, num_stages=STAGES):
        rows = row + tl.arange(0, ROWS)
        gradient = tl.load(dy + rows[:, None] * C_OUT + column[None, :], mask=(rows < last)[:, None], other=0.0)
        y = (rows // WIDTH % HEIGHT)[None, :] + down[:, None]
        z = (rows % WIDTH)[None, :] + right[:, None]
        kept = (y >= 0) & (y < HEIGHT) & (z >= 0) & (z < WIDTH) & (tap < 9)[:, None] & (rows < last)[None, :]
        source = (rows[None, :] + down[:, None] * WIDTH + right[:, None]) * c_in + channel[:, None]
        total = tl.dot(tl.load(x + source, mask=kept, other=0.0), gradient, total)
    offset = (part * C_OUT + column) * (9 * c_in)
    tl.store(out + offset[None, :] + place[:, None], total, mask=(tap < 9)[:, None])


@triton.jit
def sum_kernel(parts, out, n, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    """out (n) = the sum of `parts` (PARTS, n)."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    offsets = tl.arange(0, PARTS)[:, None] * n + place[None, :]
    values = tl.load(parts + offsets, mask=(place < n)[None, :], other=0.0)
    tl.store(out + place, tl.sum(values, 0).to(out.dtype.element_ty), mask=place < n)


def weight_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """The weight gradient (c_out, c_in, 3, 3) of a convolution with padding 1, in x's dtype.

    Args:
        x: (n, c_in, h, w) in bf16 or fp16 and channels_last.
        dy: (n, c_out, h, w), likewise; c_out is a power of 2 and at least 16.
    """
    (n, c_in, h, w), c_out = x.shape, dy.shape[1]
    m = n * h * w
    parts = torch.empty((PARTS, c_out, 3, 3, c_in), device=x.device, dtype=torch.float32)
    out = torch.empty(parts.shape[1:], device=x.device, dtype=x.dtype)
    with torch.cuda.device_of(x):  # Triton launches on the current device
        gradient_kernel[(PARTS,)](
            x, dy, parts, m, c_in, triton.cdiv(m, PARTS), HEIGHT=h, WIDTH=w, C_OUT=c_out,
            WINDOW=max(16, triton.next_power_of_2(9 * c_in)), ROWS=ROWS, STAGES=3, num_warps=4,
        )  # fmt: skip
        sum_kernel[(triton.cdiv(out.numel(), 32),)](parts, out, out.numel(), PARTS=PARTS, BLOCK=32, num_warps=4)
    return out.permute(0, 3, 1, 2)
