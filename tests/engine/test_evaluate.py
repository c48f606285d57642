"""Loss and accuracy of a split are those of all its images at once, however often they are measured."""

import pytest
import torch
from networks import CPU
from torch import nn
from torch.nn import functional

from sweeper.datasets.data import Split, load_run_data
from sweeper.engine.augment import Normalize
from sweeper.engine.evaluate import BATCH_SIZE, Evaluation
from tests.engine.test_loop import configure

IMAGES = 2 * BATCH_SIZE + 300


def test_figures_are_the_means_over_all_images_and_of_the_latest_weights():
    data = load_run_data(configure())
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 1, 8, 8), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.randint(0, 10, (IMAGES,), generator=generator))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    evaluation = Evaluation(split, model, Normalize(data, torch.device("cpu")), CPU)
    for _ in range(2):
        evaluation.measure()
        with torch.no_grad():
            logits = model((images / 255 - data.mean[:, None, None]) / data.std[:, None, None])
        figures = evaluation.score().read()
        assert figures["loss"] == pytest.approx(functional.cross_entropy(logits, split.labels).item(), rel=1e-5)
        assert figures["accuracy"] == (logits.argmax(1) == split.labels).sum().item() / IMAGES
        nn.init.normal_(model[1].weight)


def test_runs_of_one_process_share_a_splits_images():
    data = load_run_data(configure())
    normalize = Normalize(data, torch.device("cpu"))
    first, second = (Evaluation(data.test, nn.Flatten(), normalize, CPU) for _ in range(2))
    assert first.images is second.images
