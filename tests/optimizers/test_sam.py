"""SAM steps by the gradient at the worst weights nearby: the published package's steps."""

import pytest
import torch
from optimizer_steps import Regression
from torch import nn

from sweeper.optimizers import SAM

OPTIONS = {"lr": 0.1, "rho": 0.2, "momentum": 0.9, "nesterov": False, "weight_decay": 0.01}


@pytest.mark.parametrize("nesterov", [False, True])
def test_sam_is_pytorch_optimizers(nesterov):
    from pytorch_optimizer import SAM as Published  # noqa: N811

    ours, theirs = Regression(), Regression()
    options = {**OPTIONS, "nesterov": nesterov}
    found = ours.follow(SAM(ours.params, **options))
    published = Published(
        theirs.params, torch.optim.SGD, rho=0.2, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=nesterov
    )
    torch.testing.assert_close(found, theirs.follow(published), rtol=1e-6, atol=1e-6)  # its norm is fp32


@pytest.mark.parametrize(("option", "value"), [("lr", -1), ("rho", 0), ("momentum", 1), ("weight_decay", -1)])
def test_values_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"^{option}="):
        SAM([nn.Parameter(torch.zeros(2))], **{**OPTIONS, option: value})
