"""Batches from a data set that lies on the device as uint8: gather, random crop, flip and normalize in one go."""

from dataclasses import dataclass

import torch

from sweeper.data import Data, Split
from sweeper.streams import torch_stream


@dataclass(frozen=True)
class EpochOrder:
    """One epoch's random choices, drawn on the CPU and moved to the device; row i belongs to the i-th image trained.

    Attributes:
        index: int64 (n,), a permutation of the training images.
        crop: int64 (n, 2), the crop's upper left corner (row, column) in the padded image, 0 to 2 * padding.
        flip: bool (n,), mirror left to right.
    """

    index: torch.Tensor
    crop: torch.Tensor
    flip: torch.Tensor

    @staticmethod
    def draw(seed: int, epoch: int, n: int, padding: int, device: torch.device) -> "EpochOrder":
        """The choices of (seed, epoch): the same for every optimizer, device and launcher, and after a resume."""
        index = torch.randperm(n, generator=torch_stream(seed, epoch, "order"))
        crop = torch.randint(0, 2 * padding + 1, (n, 2), generator=torch_stream(seed, epoch, "crop"))
        flip = torch.rand(n, generator=torch_stream(seed, epoch, "flip")) < 0.5
        return EpochOrder(index.to(device), crop.to(device), flip.to(device))


class Batches:
    """The training images of one run on its device, augmented as its data set asks.

    Images are padded once, by black, as torchvision's RandomCrop does; a crop is then a gather.
    """

    def __init__(self, data: Data, padding: int, flip: bool, device: torch.device) -> None:
        self.padding, self.flip = padding, flip
        images = data.train.images.to(device)
        self.side = images.shape[2:]
        self.images = torch.nn.functional.pad(images, [padding] * 4) if padding else images
        self.labels = data.train.labels.to(device)
        self.normalize = Normalize(data, device)
        self.rows = torch.arange(self.side[0], device=device)
        self.columns = torch.arange(self.side[1], device=device)
        self.channels = torch.arange(images.shape[1], device=device)[None, :, None, None]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, order: EpochOrder, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images float32 (b, c, h, w), labels int64 (b,) and their places in the training set, int64 (b,)."""
        index = order.index[start:stop]
        if not self.padding and not self.flip:
            return self.normalize(self.images[index]), self.labels[index], index
        rows = self.rows + order.crop[start:stop, :1]
        columns = self.columns.expand(len(index), -1)
        if self.flip:
            columns = torch.where(order.flip[start:stop, None], columns.flip(1), columns)
        columns = columns + order.crop[start:stop, 1:]
        cropped = self.images[index[:, None, None, None], self.channels, rows[:, None, :, None], columns[:, None, None]]
        return self.normalize(cropped), self.labels[index], index


class Normalize:
    """uint8 images to float32 of mean 0 and deviation 1 a channel, by the full training set's figures."""

    def __init__(self, data: Data, device: torch.device) -> None:
        self.scale = (1 / (255 * data.std)).to(device)[:, None, None]
        self.shift = (-data.mean / data.std).to(device)[:, None, None]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() * self.scale + self.shift


class Evaluation:
    """A split on the device, as normalized batches without augmentation."""

    def __init__(self, split: Split, normalize: Normalize, device: torch.device, batch_size: int = 1000) -> None:
        self.images, self.labels = split.images.to(device), split.labels.to(device)
        self.normalize, self.batch_size = normalize, batch_size

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self) -> "list[tuple[torch.Tensor, torch.Tensor]]":
        """uint8 images and labels, a batch at a time; views, not copies."""
        return list(zip(self.images.split(self.batch_size), self.labels.split(self.batch_size), strict=True))
