"""Finds out before a run starts whether its model and optimizer can train, and whether a stopped run would resume."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sweeper.engine.build import takes_option
from sweeper.engine.trial import Subject, model_subject, optimizer_subject, why_it_cannot_resume
from sweeper.system.errors import OF_USERS_CODE, BadInput, one_line
from sweeper.system.random_streams import torch_stream
from sweeper.system.terminal import tell
from sweeper.system.text import counted

Shape = tuple[int, int, int]
OURS = "sweeper.models."  # how the `_target_` of a model of sweeper's begins


class Rehearsal:
    """Rehearses each kind of model, and each kind of optimizer with its schedule, once.

    Args:
        warn: print a line about what can't resume, instead of refusing it.
    """

    def __init__(self, warn: bool = False) -> None:
        self.warn = warn
        self._said: set[str] = set()

    def model(self, node: dict[str, Any], build: Callable[[], nn.Module], shape: Shape, sizes: list[int]) -> nn.Module:
        """A model that has passed batches of these sizes in training, and resumes.

        Args:
            build: builds the model that the node describes, each time in the same initial state.
            shape: (channels, height, width) of an image.
            sizes: of an epoch's batches.

        Raises:
            BadInput: it can't train such batches, or can't resume.
        """
        model = build()
        check_batches(node, model, shape, sizes)
        images = _images(min(2, sizes[0]), shape)
        self._resumes("model", node, lambda: model_subject(build(), images), before=2, after=1)
        return model

    def optimizer(
        self,
        node: dict[str, Any],
        model: nn.Module,
        build: Callable[[nn.Module], tuple[Optimizer, LRScheduler]],
        shape: Shape,
        size: int,
    ) -> None:
        """Take steps, and resume; first of small parameters, and if that fails of the model itself.

        Args:
            build: builds the optimizer that the node describes, and its schedule, for a model.
            size: of a batch.

        Raises:
            BadInput: its steps fail, or it can't resume.
        """
        try:
            if why_it_cannot_resume(lambda: optimizer_subject(model, build), before=2, after=4) is None:
                return
        except OF_USERS_CODE:
            pass
        images = _images(min(2, size), shape)
        self._resumes("optimizer", node, lambda: optimizer_subject(model, build, images), before=2, after=4)

    def _resumes(self, group: str, node: dict[str, Any], build: Callable[[], Subject], before: int, after: int) -> None:
        name = f"{group}={node.get('name', node['_target_'])}"
        try:
            why = why_it_cannot_resume(build, before, after)
        except BadInput:
            raise
        except OF_USERS_CODE as error:
            raise BadInput(f"{name}: {node['_target_']} fails in training: {one_line(error)}") from error
        if why is None:
            return
        if not self.warn:
            raise BadInput(
                f"{name}: a stopped run couldn't resume: {why}; resumable=false trains it without checkpoints"
            )
        if name not in self._said:
            tell(f"{name}: a run that is stopped begins anew, since it couldn't resume: {why}")
            self._said.add(name)


def check_batches(node: dict[str, Any], model: nn.Module, shape: Shape, sizes: list[int]) -> None:
    """Pass the first and the last batch of an epoch through the model in training mode.

    A model of sweeper's trains more than two images if it trains two. Any other isn't computed on so many but passes
    them on torch's device `meta`, where it allows that; that device imports sympy, which takes half as long as torch.

    Raises:
        BadInput: it fails on one of them, or doesn't return logits.
    """
    name, target = f"model={node.get('name', node['_target_'])}", node["_target_"]
    model.train()
    classes = _check_logits(name, node, model, shape, min(2, sizes[0]))
    most = 2 if target.startswith(OURS) else sizes[0]
    meta = _on_meta(model) if most > 2 else None
    for size in dict.fromkeys(min(size, most) for size in (sizes[0], sizes[-1])):
        if meta is not None and _fails(meta, torch.empty((size, *shape), device="meta"), classes) is None:
            continue
        if (error := _fails(model, _images(size, shape), classes)) is not None:
            of_one = size == sizes[-1] < sizes[0]
            which = f"an epoch's last batch, of {size}" if of_one else f"a batch of {size}"
            advice = "choose another batch_size, or drop_last=true" if of_one else "choose another batch_size"
            raise BadInput(f"{name}: {target} can't train {which}: {one_line(error)}; {advice}") from error


def _check_logits(name: str, node: dict[str, Any], model: nn.Module, shape: Shape, size: int) -> int:
    """The number of classes."""
    target = node["_target_"]
    try:
        with torch.no_grad():
            logits = model.eval()(_images(size, shape))
            output = model.train()(_images(size, shape)) if size > 1 else logits
    except OF_USERS_CODE as error:
        raise BadInput(f"{name}: {target} fails in training, on {counted(size, 'image')}: {one_line(error)}") from error
    if isinstance(output, torch.Tensor) and output.shape == logits.shape:
        return int(logits.shape[1])
    got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    off = "aux_logits" if takes_option(target, "aux_logits") else None
    advice = f"switch auxiliary outputs off, by {'' if off in node else '+'}model.{off}=false" if off else (
        "switch auxiliary outputs off, or return the logits alone"
    )  # fmt: skip
    raise BadInput(f"{name}: in training {target} returns {got}, not {tuple(logits.shape)}; {advice}")


def _on_meta(model: nn.Module) -> nn.Module | None:
    """A copy whose tensors have no values; None if the model can't be copied."""
    tensors = [*model.parameters(), *model.buffers()]
    try:
        return copy.deepcopy(model, {id(tensor): _without_values(tensor) for tensor in tensors})
    except OF_USERS_CODE:
        return None


def _without_values(tensor: torch.Tensor) -> torch.Tensor:
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _fails(model: nn.Module, images: torch.Tensor, classes: int) -> BaseException | None:
    try:
        with torch.no_grad():
            logits = model(images)
        if logits.shape != (len(images), classes):
            raise ValueError(f"it returns {tuple(logits.shape)}, not {(len(images), classes)}")
        functional.cross_entropy(logits.float(), torch.zeros(len(images), dtype=torch.int64, device=logits.device))
    except OF_USERS_CODE as error:
        return error
    return None


def _images(size: int, shape: Shape) -> torch.Tensor:
    return torch.randn(size, *shape, generator=torch_stream("rehearsal", size))
