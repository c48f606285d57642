"""A parameter group whose step is done by kernels: what it has in common for all optimizers."""

from typing import Any

import torch
from torch.optim import Optimizer

from sweeper.engine.kernels.addresses import Addresses, in_same_order, is_dense

Tensor = torch.Tensor


class Group:
    """A group of an optimizer, by its number, since `load_state_dict` replaces the groups and their state.

    A subclass has the kernels. It names the state of a parameter as the optimizer does, so `state_dict` is the same.
    """

    STATE: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        self.optimizer, self._number = optimizer, number
        self.params: list[Tensor] = list(self.options["params"])
        self.device = self.params[0].device
        self.addresses = Addresses((2 + len(self.STATE)) * len(self.params), self.device)
        self._rate = torch.zeros((), device=self.device)

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.optimizer.param_groups[self._number]
        return options

    def rate(self) -> Tensor:
        """The learning rate on the device, where a schedule changes it between replays of a CUDA graph."""
        lr = self.options["lr"]
        return lr if isinstance(lr, Tensor) else self._rate.fill_(lr)

    def state(self, name: str) -> list[Tensor]:
        for p in self.params:
            if name not in self.optimizer.state[p]:
                self.optimizer.state[p][name] = torch.zeros_like(p)
        return [self.optimizer.state[p][name] for p in self.params]

    def write_addresses(self) -> None:
        """Write the addresses of all weights, then of all gradients, then of each kind of state."""
        gradients = [p.grad for p in self.params if p.grad is not None]
        self.addresses.write([*self.params, *gradients, *(t for name in self.STATE for t in self.state(name))])

    def fits(self) -> bool:
        """Whether the kernels can read the tensors that the group has now."""
        options, state = self.options, self.optimizer.state
        lr = options["lr"]
        if isinstance(lr, Tensor) and (lr.device != self.device or lr.dtype != torch.float32 or lr.numel() != 1):
            return False
        return len(options["params"]) == len(self.params) and all(
            p is own
            and _fits(p)
            and _fits_to(p, p.grad)
            and all(name not in of or _fits_to(p, of[name]) for name in self.STATE)
            for p, own, of in (
                (p, own, state.get(p, {})) for p, own in zip(options["params"], self.params, strict=True)
            )
        )

    def step(self) -> None:
        raise NotImplementedError


def _fits(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.numel() > 0 and is_dense(tensor) and tensor.data_ptr() % 16 == 0


def _fits_to(parameter: Tensor, other: Tensor | None) -> bool:
    return (
        isinstance(other, Tensor)
        and other.layout == torch.strided
        and other.device == parameter.device
        and _fits(other)
        and in_same_order(parameter, other)
    )
