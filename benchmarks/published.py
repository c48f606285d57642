"""Published accuracies that `benchmarks.reproduce` holds this tool against: each with its source, recipe and words."""

from dataclasses import dataclass
from typing import Literal

STEP = "schedule=step schedule.warmup_fraction=0.0 schedule.gamma=0.1"
COSINE = "schedule=cosine schedule.warmup_fraction=0.0 schedule.final_fraction=0.00001"
SGD = "optimizer=sgd optimizer.lr=0.1 optimizer.momentum=0.9"
SGD_18 = f"model=resnet18 {SGD} optimizer.weight_decay=0.0005 optimizer.nesterov=true {COSINE} epochs=100"
ADAM_18 = f"model=resnet18 optimizer.lr=0.001 {STEP} schedule.milestones=[0.4,0.8] epochs=200"
SGD_BY_STEPS = f"{SGD} optimizer.weight_decay=0.0001 optimizer.nesterov=false {STEP}"
ALL = "batch_size=128 decay_norms_and_biases=true"

OPENOOD = (
    "[OpenOOD 1.5](https://github.com/Jingkang50/OpenOOD/blob/main/openood/trainers/base_trainer.py), "
    "[arXiv 2306.09301](https://arxiv.org/abs/2306.09301)"
)
OPENOOD_RECIPE = (
    "ResNet-18 with a 3×3 stem, SGD 0.1 with Nesterov momentum 0.9, weight decay 5e-4 on everything, half a cosine per "
    "step to 1e-6, no warm-up, 100 epochs, batch 128, crop and flip; accuracy on 9,000 of the test images, at the "
    "epoch that is best on the other 1,000"
)
XIE = (
    "[Xie et al. 2023](https://github.com/zeke-xie/stable-weight-decay-regularization), its table and notebook, "
    "[arXiv 2011.11152](https://arxiv.org/abs/2011.11152)"
)
XIE_RECIPE = (
    "ResNet-18 with a 3×3 stem, lr 1e-3, {}, ÷10 at epochs 80 and 160 of 200, no warm-up, batch 128, crop and flip; "
    "“optimal test errors computed over three runs”, as the same authors call these numbers "
    "[in another table](https://github.com/zeke-xie/Positive-Negative-Momentum): the epoch best on the test images"
)
HE = "[He et al. 2015](https://arxiv.org/abs/1512.03385), section 4.2 and table 6"
DIVIDEMIX = (
    "[DivideMix](https://arxiv.org/abs/2002.07394), table 1; recipe by the code of "
    "[Arazo et al. 2019](https://github.com/PaulAlbert31/LabelNoiseCorrection), presumably the number's origin"
)


@dataclass(frozen=True)
class Row:
    """One published number.

    Attributes:
        what: a title.
        recipe_words: as overrides of `sweeper.train`, every value that the source tells.
        accuracy: the published one, in %; None where a row is only compared with others of ours.
        deviation: over the source's n runs, in points; None where the source tells none.
        recipe: what the source did.
        differs: how the words differ from it.
        epoch: which of a run's accuracies is judged.
        context: no verdict, since the source did something else.
    """

    what: str
    recipe_words: str
    accuracy: float | None = None
    deviation: float | None = None
    n: int | None = None
    source: str = ""
    recipe: str = ""
    differs: str = ""
    epoch: Literal["final", "best"] = "final"
    context: bool = False

    @property
    def words(self) -> list[str]:
        return self.recipe_words.split()


ROWS = {
    "cifar10-sgd": Row(
        "SGD, CIFAR-10",
        f"dataset=cifar10 {SGD_18} {ALL}",
        95.06,
        0.30,
        3,
        OPENOOD,
        OPENOOD_RECIPE,
        "all 10,000 test images, last epoch",
    ),
    "cifar100-sgd": Row(
        "SGD, CIFAR-100",
        f"dataset=cifar100 {SGD_18} {ALL}",
        77.25,
        0.10,
        3,
        OPENOOD,
        OPENOOD_RECIPE,
        "all 10,000 test images, last epoch",
    ),
    "cifar10-adamw": Row(
        "AdamW, CIFAR-10",
        f"dataset=cifar10 optimizer=adamw optimizer.weight_decay=0.5 {ADAM_18} {ALL}",
        94.92,
        0.07,
        3,
        XIE,
        XIE_RECIPE.format("decoupled weight decay 0.5 (5e-4 / lr) on everything"),
        "nothing known; best epoch",
        epoch="best",
    ),
    "cifar10-adam": Row(
        "Adam, CIFAR-10",
        f"dataset=cifar10 optimizer=adam optimizer.weight_decay=0.0005 {ADAM_18} {ALL}",
        93.47,
        0.03,
        3,
        XIE,
        XIE_RECIPE.format("weight decay 5e-4 in the gradient, on everything"),
        "nothing known; best epoch",
        epoch="best",
    ),
    "cifar10-resnet20": Row(
        "ResNet-20 by SGD, CIFAR-10",
        f"dataset=cifar10 model=resnet20 {SGD_BY_STEPS} schedule.milestones=[0.49903,0.74855] epochs=164 {ALL}",
        91.25,
        None,
        1,
        HE,
        "SGD 0.1, momentum 0.9, weight decay 1e-4, ÷10 at 32,000 and 48,000 of 64,000 steps, batch 128, crop and flip; "
        "shortcuts without parameters (option A)",
        "64,124 steps, which are 164 epochs of 50,000 images; projection shortcuts (option B: 2,752 parameters more)",
    ),
    "cifar10-noise": Row(
        "20 % symmetric noise, CIFAR-10",
        f"dataset=cifar10 model=resnet18 noise=symmetric noise.rate=0.2 noise.own_class=true {SGD_BY_STEPS} "
        f"schedule.milestones=[0.33333,0.83333] epochs=100 {ALL}",
        86.8,
        None,
        1,
        DIVIDEMIX,
        "PreAct ResNet-18, SGD 0.1, momentum 0.9, weight decay 1e-4, ÷10 at epochs 100 and 250 of 300, batch 128, best "
        "epoch; a redrawn label may be its own class",
        "ResNet-18, a third of the epochs, the rate divided at the same fractions; noise of the same kind",
        epoch="best",
        context=True,
    ),
    "cifar10-sgd-undecayed": Row(
        "SGD, CIFAR-10, norms and biases not decayed",
        f"dataset=cifar10 {SGD_18} batch_size=128 decay_norms_and_biases=false",
    ),
}
