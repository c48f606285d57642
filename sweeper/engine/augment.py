"""Batches from a uint8 data set on the device: gather, random crop, flip and normalize."""

import functools

import torch

from sweeper.datasets.data import Data
from sweeper.engine.kernels.triton import triton_serves
from sweeper.system.random_streams import torch_stream


class EpochOrder:
    """An epoch's random choices, on the device; row i is for the i-th image of the epoch.

    `draw` refills the tensors in place, since CUDA graphs read them at fixed addresses.

    Attributes:
        index: int64 (n,), a permutation of the training images.
        crop: int64 (n, 2), the crop's upper left corner (row, column) in the padded image, 0 to 2 * padding.
        flip: bool (n,), mirror left to right.
    """

    def __init__(self, n: int, padding: int, device: torch.device) -> None:
        self.padding = padding
        self.index = torch.zeros(n, dtype=torch.int64, device=device)
        self.crop = torch.zeros(n, 2, dtype=torch.int64, device=device)
        self.flip = torch.zeros(n, dtype=torch.bool, device=device)

    def draw(self, seed: int, epoch: int) -> None:
        """Draw the choices for (seed, epoch): the same for every optimizer, device and launcher, and after a resume."""
        n = len(self.index)
        sides = 2 * self.padding + 1
        _copy(torch.randperm(n, generator=torch_stream(seed, epoch, "order")), self.index)
        _copy(torch.randint(0, sides, (n, 2), generator=torch_stream(seed, epoch, "crop")), self.crop)
        _copy(torch.rand(n, generator=torch_stream(seed, epoch, "flip")) < 0.5, self.flip)


def _copy(drawn: torch.Tensor, to: torch.Tensor) -> None:
    """Copy to the device; on CUDA without waiting, since the device may still read the previous epoch's choices."""
    if to.is_cuda:
        to.copy_(drawn.pin_memory(), non_blocking=True)
    else:
        to.copy_(drawn)


@functools.lru_cache(maxsize=2)
def build_batches(data: Data, padding: int, flip: bool, device: torch.device) -> "Batches":
    """The training images on the device; runs of one process with the same data share them."""
    batches = Batches(data, padding, flip, device)
    if device.type == "cuda":
        torch.cuda.synchronize()  # other streams read them too
    return batches


class Batches:
    """The training images of one run on its device, augmented according to its data set.

    Images are padded with black once, as torchvision's RandomCrop pads; a crop is then a gather.
    """

    def __init__(self, data: Data, padding: int, flip: bool, device: torch.device) -> None:
        self.padding, self.flip = padding, flip
        images = data.train.images.to(device)
        self.by_kernel = triton_serves(device)
        self.side = (images.shape[2], images.shape[3])
        self.images = torch.nn.functional.pad(images, [padding] * 4) if padding else images
        self.windows: torch.Tensor | None = None
        if device.type == "cpu":  # a crop is then a copy of whole rows, of (n, channels, row, column, height, width)
            self.windows = self.images.unfold(2, self.side[0], 1).unfold(3, self.side[1], 1)
        self.labels = data.train.labels.to(device)
        self.normalize = Normalize(data, device)
        self.rows = torch.arange(self.side[0], device=device)
        self.columns = torch.arange(self.side[1], device=device)
        self.channels = torch.arange(images.shape[1], device=device)[None, :, None, None]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, order: EpochOrder, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A batch: images float32 (b, c, h, w), labels int64 (b,) and indices into the training set, int64 (b,).

        Args:
            places: int64 (b,), rows of `order`.
        """
        if self.by_kernel:
            from sweeper.engine.kernels.augment import take

            chosen = order.index, order.crop, order.flip
            normalize = self.normalize.scale, self.normalize.shift
            return take(
                self.images, self.labels, chosen, places, normalize, self.side, crops=self.padding > 0, flips=self.flip
            )
        return self.take_plainly(order, places)

    def take_plainly(self, order: EpochOrder, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`take` by torch's operators: used on other devices, and the reference in the kernel's tests."""
        index = order.index[places]
        if not self.padding and not self.flip:
            return self.normalize(self.images[index]), self.labels[index], index
        crop = order.crop[places]
        if self.windows is not None:
            images = self.windows[index, :, crop[:, 0], crop[:, 1]].flatten(1).view(len(index), -1, *self.side)
            if self.flip:
                images = torch.where(order.flip[places][:, None, None, None], images.flip(3), images)
            return self.normalize(images), self.labels[index], index
        rows = self.rows + crop[:, :1]
        columns = self.columns.expand(len(index), -1)
        if self.flip:
            columns = torch.where(order.flip[places][:, None], columns.flip(1), columns)
        columns = columns + crop[:, 1:]
        cropped = self.images[index[:, None, None, None], self.channels, rows[:, None, :, None], columns[:, None, None]]
        return self.normalize(cropped), self.labels[index], index


class Normalize:
    """Normalizes uint8 images to float32 by the mean and deviation of each channel of the full training set."""

    def __init__(self, data: Data, device: torch.device) -> None:
        self.scale = (1 / (255 * data.std)).to(device)[:, None, None]
        self.shift = (-data.mean / data.std).to(device)[:, None, None]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() * self.scale + self.shift
