"""Muon: orthogonalized momentum for the matrices of hidden layers, AdamW for all other parameters."""

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan 2024: the steepest slope at 0 that keeps singular values near 1

STREAMS = 4  # each needs a workspace of tens of MiB for matrix products


class Muon(Optimizer):
    """Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024, kellerjordan.github.io/posts/muon.

    With the gradient G of a hidden layer as a matrix (outputs, inputs), momentum μ and weight decay λ:

        B ← μ B + (1 - μ) G
        O = newton_schulz(μ B + (1 - μ) G)          (without Nesterov: newton_schulz(B))
        θ ← θ - lr · (sqrt(max(1, rows / columns)) O + λ θ)

    A convolution's kernel (out, in, kh, kw) is the matrix (out, in · kh · kw). All other parameters (the first layer,
    norms, biases, embeddings, the classifier) are trained by AdamW, arXiv 1711.05101, with separate options. Each group
    has its `lr`, so a schedule scales both.

    Args:
        params: groups, each with `role` "hidden" or "other". Weights of a hidden group have at least two dimensions.
        lr: for the hidden groups, at least 0; the spectral norm of an update. The `lr` of any group may be a 0-dim
            tensor on the parameters' device.
        weight_decay: for the hidden groups, decoupled: a step shrinks the weights by the factor 1 - lr · λ.
        momentum: in [0, 1).
        newton_schulz_steps: at least 1.
        adamw_lr: for the other groups.
        adamw_betas: both in [0, 1).
        adamw_weight_decay: for the other groups, decoupled likewise.

    Raises:
        ValueError: a value is out of its range, a group has no role, or a hidden weight has one dimension.
    """

    uses_roles = True  # tells `build_optimizer` that the groups need a `role`

    def __init__(
        self,
        params: Sequence[dict[str, Any]],
        lr: float,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
        newton_schulz_steps: int,
        adamw_lr: float,
        adamw_betas: Sequence[float],
        adamw_eps: float,
        adamw_weight_decay: float,
    ) -> None:
        hidden: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "newton_schulz_steps": newton_schulz_steps,
        }
        other: dict[str, Any] = {
            "lr": adamw_lr,
            "weight_decay": adamw_weight_decay,
            "betas": adamw_betas,
            "eps": adamw_eps,
        }
        for prefix, options in (("", hidden), ("adamw_", other)):
            for name in {"lr", "weight_decay", "eps"} & set(options):
                if not options[name] >= 0:
                    raise ValueError(f"{prefix}{name}={options[name]}: must be at least 0")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum}: must lie in [0, 1)")
        if not isinstance(newton_schulz_steps, int) or newton_schulz_steps < 1:
            raise ValueError(f"newton_schulz_steps={newton_schulz_steps}: must be an integer of at least 1")
        if len(adamw_betas) != 2 or not all(0 <= beta < 1 for beta in adamw_betas):
            raise ValueError(f"adamw_betas={adamw_betas}: must be two numbers in [0, 1)")
        groups = []
        for group in params:
            if not isinstance(group, dict) or group.get("role") not in ("hidden", "other"):
                raise ValueError("every parameter group needs a role: hidden or other")
            groups.append({**(hidden if group["role"] == "hidden" else other), **group})
        super().__init__(groups, defaults=hidden)
        if any(p.ndim < 2 for group in self.param_groups if group["role"] == "hidden" for p in group["params"]):
            raise ValueError("a hidden weight must have two dimensions or more")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if params := [p for p in group["params"] if p.grad is not None]:
                updates = self._muon(group, params) if group["role"] == "hidden" else self._adamw(group, params)
                if group["weight_decay"]:
                    torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_mul_(updates, group["lr"])
                torch._foreach_sub_(params, updates)
        return loss

    def _muon(self, group: dict[str, Any], params: list[torch.Tensor]) -> list[torch.Tensor]:
        momentum = group["momentum"]
        grads = [p.grad for p in params if p.grad is not None]
        buffers = self._state(params, "momentum_buffer")
        torch._foreach_lerp_(buffers, grads, 1 - momentum)
        directions = torch._foreach_lerp(grads, buffers, momentum) if group["nesterov"] else buffers
        return orthogonalize(directions, group["newton_schulz_steps"])

    def _adamw(self, group: dict[str, Any], params: list[torch.Tensor]) -> list[torch.Tensor]:
        beta1, beta2 = group["betas"]
        grads = [p.grad for p in params if p.grad is not None]
        exp_avgs, exp_avg_sqs = self._state(params, "exp_avg"), self._state(params, "exp_avg_sq")
        # One step count for the group. It isn't named `step`, which torch's load_state_dict would leave on the CPU.
        first = self.state[group["params"][0]]
        if "steps_done" not in first:
            first["steps_done"] = torch.zeros((), device=params[0].device)
        steps = first["steps_done"].add_(1)

        torch._foreach_lerp_(exp_avgs, grads, 1 - beta1)
        torch._foreach_lerp_(exp_avg_sqs, torch._foreach_mul(grads, grads), 1 - beta2)
        denominators = torch._foreach_div(exp_avg_sqs, 1 - beta2**steps)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, group["eps"])
        updates = torch._foreach_div(exp_avgs, 1 - beta1**steps)
        torch._foreach_div_(updates, denominators)
        return list(updates)

    def _state(self, params: list[torch.Tensor], name: str) -> list[torch.Tensor]:
        for p in params:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in params]


def orthogonalize(directions: Sequence[torch.Tensor], steps: int) -> list[torch.Tensor]:
    """Approximate the nearest semi-orthogonal matrix of each direction, times sqrt(max(1, rows / columns)).

    Directions of the same shape, up to transposition, are one batch of Newton-Schulz.

    Args:
        directions: each (out, in, ...); the results have the same shapes and dtypes.
    """
    directions = [direction if _is_dense(direction) else direction.contiguous() for direction in directions]
    matrices = [_matrix(direction) for direction in directions]
    norms = torch._foreach_norm(matrices)
    results = [torch.empty_like(direction) for direction in directions]
    batches: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for k, matrix in enumerate(matrices):
        batches[tuple(sorted(matrix.shape))].append(k)

    def orthogonalize_batch(shape: tuple[int, ...], indices: list[int]) -> None:
        rows, columns = shape
        x = torch.empty((len(indices), rows, columns), dtype=_matrix_dtype(matrices[0]), device=matrices[0].device)
        torch._foreach_copy_(list(x), [_lying(matrices[k]) for k in indices])
        x /= torch.stack([norms[k] for k in indices])[:, None, None] + 1e-7  # then no singular value is above 1
        x = newton_schulz(x, steps)
        torch._foreach_copy_([_lying(_matrix(results[k])) for k in indices], list(x))
        for k in indices:
            if _stands(matrices[k]):
                results[k].mul_((columns / rows) ** 0.5)

    largest_first = sorted(batches.items(), key=lambda item: -len(item[1]) * item[0][0] ** 2 * item[0][1])
    works = [functools.partial(orthogonalize_batch, shape, indices) for shape, indices in largest_first]
    _run_side_by_side(works, on_cuda=matrices[0].is_cuda)
    return results


def _run_side_by_side(works: Sequence[Callable[[], None]], on_cuda: bool) -> None:
    """Run independent functions; on CUDA on several streams, since such small products leave most of a GPU idle.

    In a CUDA graph the streams become branches. The inputs must exist before the call and until all functions end.
    """
    if not on_cuda:
        for work in works:
            work()
        return
    current = torch.cuda.current_stream()
    streams = _side_streams(current.device_index)
    for stream in streams:
        stream.wait_stream(current)
    for k, work in enumerate(works):
        with torch.cuda.stream(streams[k % len(streams)]):
            work()
    for stream in streams:
        current.wait_stream(stream)


@functools.cache
def _side_streams(device_index: int) -> list[torch.cuda.Stream]:
    return [torch.cuda.Stream(device_index) for _ in range(STREAMS)]


def _matrix(direction: torch.Tensor) -> torch.Tensor:
    """A view as (outputs, inputs); the columns of a channels_last kernel are in its memory order.

    The order of columns makes no difference, since permuting them keeps a matrix semi-orthogonal and nearest.
    """
    return (direction if direction.is_contiguous() else direction.permute(0, 2, 3, 1)).flatten(1)


def _is_dense(direction: torch.Tensor) -> bool:
    """Whether a tensor is contiguous, or a kernel in channels_last."""
    return direction.is_contiguous() or (
        direction.ndim == 4 and direction.is_contiguous(memory_format=torch.channels_last)
    )


def _stands(matrix: torch.Tensor) -> bool:
    return matrix.shape[0] > matrix.shape[1]


def _lying(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.mT if _stands(matrix) else matrix


def newton_schulz(matrices: torch.Tensor, steps: int) -> torch.Tensor:
    """Push all singular values towards 1, to about 0.7 to 1.2 in 5 steps, by X ← (a I + b X Xᵀ + c (X Xᵀ)²) X.

    Args:
        matrices: (n, rows, columns) of norm at most 1; rows ≤ columns, so that X Xᵀ is the smaller product.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices
    for _ in range(steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal(dim1=1, dim2=2).add_(a)
        x = polynomial @ x
    return x


def _matrix_dtype(matrices: torch.Tensor) -> torch.dtype:
    """bfloat16 if the device computes it fast, else float32."""
    if matrices.is_cuda and torch.cuda.get_device_capability(matrices.device) >= (8, 0):
        return torch.bfloat16
    return matrices.dtype
