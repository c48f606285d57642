"""Speeds up any model on CUDA: replaces known patterns of its modules by fused blocks.

The model itself isn't changed. Its forward pass is traced, once for training and once for evaluation. In this graph

- batch norm and the sum and ReLU after it become one call (`sweeper/engine/kernels/batch_norm.py`);
- if two calls read the result of such a call, each gets its own alias, so that one backward kernel adds both gradients;
- the other operand of the sum, such as a shortcut's convolution, starts early on another stream
  (`sweeper/engine/kernels/branches.py`);
- a 3×3 convolution with few input channels uses a kernel for first layers (`sweeper/engine/kernels/convolution.py`).
"""

import operator
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.nn import functional

from sweeper.engine.devices import Device
from sweeper.engine.kernels.batch_norm import batch_norm, batch_norm_for_two
from sweeper.engine.kernels.branches import aside, join
from sweeper.engine.kernels.convolution import first_convolution, is_served
from sweeper.engine.kernels.triton import triton_serves
from sweeper.engine.trace import has_hooks, trace

Node = Any  # an fx.Node; its types of target and arguments are too wide to be useful

RELUS = (functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_")
SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
# Modules and functions that don't change their input in place, so that it may be read earlier or by an alias.
READERS = (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d)
READING = (batch_norm, first_convolution, aside, operator.add, torch.add)


class ForwardPasses(NamedTuple):
    """A model's forward passes in training and in evaluation. Both use the model's own weights."""

    training: nn.Module
    evaluation: nn.Module


def forward_passes(model: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> ForwardPasses:
    """The forward passes with fused blocks if our kernels run here and the model can be traced; else the model."""
    if device.kind != "cuda" or device.compile or not triton_serves(device.torch_device):
        return ForwardPasses(model, model)
    was_training = model.training
    evaluation = trace(model.eval(), device, image_shape)
    training = trace(model.train(), device, image_shape)
    model.train(was_training)
    return ForwardPasses(Fused(training) if training else model, Fused(evaluation) if evaluation else model)


class Fused(nn.Module):
    """A traced forward pass with fused blocks."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__()
        self.traced = fuse(traced)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.traced.forward(images)  # calling the module would print its errors
        return logits


def fuse(traced: fx.GraphModule) -> fx.GraphModule:
    """Replace the patterns in a traced model by the fused blocks listed above."""
    graph = _Graph(traced)
    graph.drop_identities()
    graph.fuse_norms()
    graph.fuse_first_convolutions()
    graph.begin_branches()
    graph.name_twice()
    graph.nodes.lint()
    return fx.GraphModule(traced, graph.nodes, class_name="Fused")


class _Graph:
    """Finds patterns in a graph of calls and replaces them."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self.nodes = traced.graph
        self.modules = dict(traced.named_modules(remove_duplicate=False))

    def drop_identities(self) -> None:
        for node in list(self.nodes.nodes):
            if self._calls(node, nn.Identity):
                node.replace_all_uses_with(node.args[0])
                self.nodes.erase_node(node)

    def fuse_norms(self) -> None:
        for node in list(self.nodes.nodes):
            if self._calls(node, nn.BatchNorm2d):
                self._fuse_norm(node)

    def _fuse_norm(self, node: Node) -> None:
        """Replace a batch norm by one call that includes the sum and ReLU after it, unless others read its results."""
        (x,) = node.args
        place, last, residual = node, node, None
        after = _only_user(node)
        if after is not None and all(map(self._reads, x.users)):
            residual = self._residual(node, after)
            if residual is not None:
                place = last = after
                after = _only_user(after)
        relu = after is not None and self._is_relu(after)
        if relu:
            last = after
        with self.nodes.inserting_before(place):
            norm = self.nodes.get_attr(node.target)
            fused = self.nodes.call_function(batch_norm, (norm, x, residual, relu))
        last.replace_all_uses_with(fused)
        for replaced in dict.fromkeys((last, place, node)):
            self.nodes.erase_node(replaced)

    def _residual(self, node: Node, after: Node) -> Node | None:
        """The other operand of the sum `after` if the sum can be fused into the batch norm `node`; else None."""
        if after.op == "call_module" or after.target not in SUMS or after.kwargs or len(after.args) != 2:
            return None
        first, second = after.args
        other = second if first is node else first
        in_place = after.target in (operator.iadd, "add_")
        if not isinstance(other, fx.Node) or other is node or (in_place and first is not node):
            return None
        if self._calls(other, nn.BatchNorm2d) and not in_place:  # of two, that of the longer path gets the sum
            ours, theirs = len(_way(node)), len(_way(other))
            if ours < theirs or (ours == theirs and second is node):
                return None
        return other

    def fuse_first_convolutions(self) -> None:
        for node in list(self.nodes.nodes):
            if self._calls(node, nn.Conv2d) and is_served(self.modules[node.target]):
                with self.nodes.inserting_before(node):
                    conv = self.nodes.get_attr(node.target)
                    fused = self.nodes.call_function(first_convolution, (conv, *node.args))
                node.replace_all_uses_with(fused)
                self.nodes.erase_node(node)

    def begin_branches(self) -> None:
        """Start the path of a shortcut's convolutions early: on another stream, as soon as its input is computed."""
        for node in list(self.nodes.nodes):
            if node.target is not batch_norm or node.args[2] is None:
                continue
            way = _way(node.args[2])
            if not any(self._calls(step, nn.Conv2d) for step in way) or not all(map(self._goes_aside, way)):
                continue
            fork = _input(way[0])
            if fork.op == "placeholder" or not all(map(self._reads, fork.users)):
                continue
            with self.nodes.inserting_before(fork.next):
                names = [step.args[0].target if step.target is batch_norm else step.target for step in way]
                modules = [self.nodes.get_attr(name) for name in names]
                beside = self.nodes.call_function(aside, (fork, *modules))
            with self.nodes.inserting_before(node):
                node.update_arg(2, self.nodes.call_function(join, (beside,)))
            for step in reversed(way):
                attributes = [n for n in step.all_input_nodes if n.op == "get_attr"]
                for gone in (step, *attributes):
                    self.nodes.erase_node(gone)

    def _goes_aside(self, node: Node) -> bool:
        if node.target is batch_norm:
            return node.args[2:] == (None, False)
        return self._calls(node, nn.Conv2d, nn.AvgPool2d)

    def name_twice(self) -> None:
        for node in list(self.nodes.nodes):
            users = list(node.users)
            if node.target is not batch_norm or len(users) != 2 or not all(map(self._reads, users)):
                continue
            users.sort(key=lambda user: user.target is aside or (user.target is batch_norm and user.args[2] is node))
            with self.nodes.inserting_before(node):
                pair = self.nodes.call_function(batch_norm_for_two, node.args)
                names = [self.nodes.call_function(operator.getitem, (pair, k)) for k in (0, 1)]
            for user, name in zip(users, names, strict=True):
                user.replace_input_with(node, name)
            self.nodes.erase_node(node)

    def _calls(self, node: Node, *kinds: type[nn.Module]) -> bool:
        """Whether a node calls a module whose class is exactly one of `kinds`, with one argument."""
        if node.op != "call_module" or node.kwargs or [type(argument) for argument in node.args] != [fx.Node]:
            return False
        module = self.modules[str(node.target)]
        return type(module) in kinds and not has_hooks(module)

    def _reads(self, node: Node) -> bool:
        return self._calls(node, *READERS) or (node.op == "call_function" and node.target in READING)

    def _is_relu(self, node: Node) -> bool:
        return self._calls(node, nn.ReLU) or (node.op != "call_module" and node.target in RELUS)


def _only_user(node: Node) -> Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _input(node: Node) -> Any:
    """A node's only input besides attributes of the model; None if there are several."""
    inputs = [n for n in node.all_input_nodes if n.op != "get_attr"]
    return inputs[0] if len(inputs) == 1 else None


def _way(node: Node) -> list[Node]:
    """The chain of calls that ends in `node` and begins at a fork; each has one input that no other call reads."""
    way: list[Node] = []
    while node.op != "placeholder" and len(node.users) == 1 and (before := _input(node)) is not None:
        way.insert(0, node)
        node = before
    return way
