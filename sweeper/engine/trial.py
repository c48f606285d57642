"""Tries out whether a stopped run would resume: a few steps, a checkpoint, freshly built parts, and further steps.

The trial is cheap: a model trains on two images, an optimizer steps a small copy of the model's parameters, along
random gradients. It uses models that are built for it alone, so it changes no run.
"""

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sweeper.engine.averaging import begin_training
from sweeper.engine.checkpoint_form import Unfit, check_parts
from sweeper.engine.difference import first_difference
from sweeper.engine.state import Attributes, load_state, parameters_of, read_state
from sweeper.engine.step import clear_gradients
from sweeper.system.errors import OF_USERS_CODE, first_line
from sweeper.system.random_streams import seed_layers, stream_seed, torch_stream

LARGEST_SIDE = 8  # of the small parameters: an optimizer treats tensors by their dimensions, not by their size


@dataclass
class Subject:
    """What is tried out.

    Attributes:
        parts: the parts whose state a checkpoint would hold.
        step: a training step, by its number.
        results: what the steps have computed.
    """

    parts: dict[str, Any]
    step: Callable[[int], None]
    results: list[torch.Tensor] = field(default_factory=list)


def why_it_cannot_resume(build: Callable[[], Subject], before: int, after: int) -> str | None:
    """Why a run that is stopped after `before` steps differs in the `after` next ones; None if it doesn't.

    What a step raises is raised.

    Args:
        build: builds the subject, each time in the same initial state.
    """
    whole, resumed = build(), build()
    for k in range(before):
        _step(whole, k)
    try:
        file = io.BytesIO()
        torch.save({name: read_state(part) for name, part in whole.parts.items()}, file)
        file.seek(0)
        _load(resumed.parts, torch.load(file, weights_only=True))
    except Unfit as reason:
        return str(reason)
    except OF_USERS_CODE as error:
        return f"its state can't be saved and loaded ({first_line(error)})"
    if (optimizer := resumed.parts.get("optimizer")) is not None:
        begin_training(optimizer)
    whole.results.clear()
    for k in range(before, before + after):
        _step(whole, k)
        try:
            _step(resumed, k)
        except OF_USERS_CODE as error:
            return f"its next step fails after loading ({first_line(error)})"
    for name, part in whole.parts.items():
        if (where := first_difference(read_state(part), read_state(resumed.parts[name]))) is not None:
            return f"it would differ in the {name}'s {where}" if where else f"it would differ in the {name}"
    return None if first_difference(whole.results, resumed.results) is None else "it would differ in its output"


def _load(parts: dict[str, Any], state: dict[str, Any]) -> None:
    check_parts(state, {name: read_state(part) for name, part in parts.items()})
    for name, part in parts.items():
        load_state(part, state[name])


def model_subject(model: nn.Module, images: torch.Tensor) -> Subject:
    """A model that passes images forward in training mode, at the first step backward too."""
    results: list[torch.Tensor] = []
    model.train()

    def step(number: int) -> None:
        with torch.set_grad_enabled(number == 0):
            output = model(images.clone())
        if number == 0:
            output.float().square().mean().backward()
        results.append(output.detach().clone())

    return Subject({"model": model, "attributes": Attributes(model)}, step, results)


def optimizer_subject(
    model: nn.Module, build: Callable[[nn.Module], tuple[Optimizer, LRScheduler]], images: torch.Tensor | None = None
) -> Subject:
    """An optimizer with its schedule.

    Args:
        model: is left as it is.
        build: builds both for a model.
        images: train the whole model on these images, instead of small parameters along random gradients.
    """
    if images is None:
        small = {id(p): nn.Parameter(_corner(p), p.requires_grad) for p in model.parameters()}
        model = copy.deepcopy(model, dict[int, Any](small))
    else:
        model = copy.deepcopy(model).train()
    optimizer, schedule = build(model)
    weights = parameters_of(optimizer)
    number = 0

    def differentiate(guess: bool = False) -> torch.Tensor:
        clear_gradients(optimizer)
        with torch.enable_grad():
            if images is None:
                generator = torch_stream("gradients", number, guess)
                terms = [(p * torch.randn(p.shape, generator=generator)).sum() + p.square().sum() / 20 for p in weights]
                loss = torch.stack(terms).sum()
            else:
                logits = model(images.clone()).float()
                loss = functional.cross_entropy(logits, torch.arange(len(images)) % logits.shape[1])
            loss.backward()
        return loss.detach()

    def step(k: int) -> None:
        nonlocal number
        number = k
        differentiate()
        if getattr(optimizer, "needs_closure", False):
            optimizer.step(differentiate)  # type: ignore[arg-type]
        else:
            optimizer.step()
        schedule.step()

    parts = {"optimizer": optimizer, "schedule": schedule, "model": model, "attributes": Attributes(model, optimizer)}
    begin_training(optimizer)
    return Subject(parts, step)


def _corner(parameter: torch.Tensor) -> torch.Tensor:
    return parameter.detach()[tuple(slice(LARGEST_SIDE) for _ in parameter.shape)].clone()


def _step(subject: Subject, number: int) -> None:
    seed_layers(stream_seed("trial", number))
    subject.step(number)
