"""Torch's compiler isn't imported by what only asks it to stay away, and is whole once something needs it."""

import subprocess
import sys

DEFERRED = """
import importlib.util
import sys
import torch
from torch import nn
from sweeper.engine.devices import prepare_process
prepare_process(1)
def loaded():
    return "torch._dynamo.config" in sys.modules
weight = nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=0.5)
(weight * 2).sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
optimizer.zero_grad()
assert weight.tolist() == [0.0, 0.0]
nn.Sequential(nn.Linear(4, 3), nn.ReLU()).to("meta")(torch.empty(2, 4, device="meta"))
hasattr(sys.modules["torch._dynamo"], "__file__")  # as `inspect` looks at every module
assert importlib.util.find_spec("torch._dynamo").origin  # as a package asks whether there is a compiler
assert not loaded()
assert torch._dynamo.disable(len)([]) == 0  # a user's own function
assert loaded()
import torch._dynamo.config
assert sys.modules["torch._dynamo"] is torch._dynamo and torch._dynamo.__file__
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
optimizer.step()
"""


def test_steps_and_shapes_leave_the_compiler_out_until_it_is_needed():
    done = subprocess.run([sys.executable, "-c", DEFERRED], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
