"""One Triton kernel that gathers, crops, flips and normalizes a batch: `Batches.take` on CUDA."""

import torch
import triton
import triton.language as tl


@triton.jit
def take_kernel(
    images, labels, order, crop, flip, places, scale, shift, out, labels_out, index_out, height, width, padded_height,
    padded_width, CHANNELS: tl.constexpr, CROPS: tl.constexpr, FLIPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Program (i, j) computes the values j · BLOCK to (j + 1) · BLOCK of image i, in (h, w, c) order.

    `images` (n, c, padded_height, padded_width) is uint8, `out` (b, c, h, w) is fp32 in channels_last.
    """
    row = tl.program_id(0)
    place = tl.load(places + row)
    index = tl.load(order + place)
    if tl.program_id(1) == 0:
        tl.store(index_out + row, index)
        tl.store(labels_out + row, tl.load(labels + index))
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = i < height * width * CHANNELS
    channel, x, y = i % CHANNELS, (i // CHANNELS) % width, i // (CHANNELS * width)
    if FLIPS:
        x = tl.where(tl.load(flip + place) != 0, width - 1 - x, x)
    if CROPS:
        y += tl.load(crop + 2 * place).to(tl.int32)
        x += tl.load(crop + 2 * place + 1).to(tl.int32)
    pixel = (index * CHANNELS + channel) * (padded_height * padded_width) + y * padded_width + x
    value = tl.load(images + pixel, mask=inside, other=0).to(tl.float32)
    value = value * tl.load(scale + channel) + tl.load(shift + channel)
    tl.store(out + row.to(tl.int64) * height * width * CHANNELS + i, value, mask=inside)


def take(
    images: torch.Tensor,
    labels: torch.Tensor,
    order: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    places: torch.Tensor,
    normalize: tuple[torch.Tensor, torch.Tensor],
    side: tuple[int, int],
    crops: bool,
    flips: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See `Batches.take`.

    Args:
        images: uint8 (n, c, height + 2 · padding, width + 2 · padding), contiguous.
        order: `index`, `crop` and `flip` of `EpochOrder`.
        normalize: scale and shift, each (c,).
        side: (height, width) of the output.
    """
    (height, width), channels, b = side, images.shape[1], len(places)
    out = torch.empty((b, channels, height, width), device=images.device, memory_format=torch.channels_last)
    labels_out, index_out = torch.empty_like(places), torch.empty_like(places)
    block = 1024
    grid = (b, triton.cdiv(height * width * channels, block))
    with torch.cuda.device_of(images):
        take_kernel[grid](
            images, labels, *order, places, *normalize, out, labels_out, index_out, height, width, *images.shape[2:],
            CHANNELS=channels, CROPS=crops, FLIPS=flips, BLOCK=block,
        )  # fmt: skip
    return out, labels_out, index_out
