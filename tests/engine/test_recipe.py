"""Label smoothing, clipping, an average and dropped batches: the same in (simulated) graphs, lanes and fused blocks and
after any stop, and nothing at all where they are off. Their numbers: `test_recipe_numbers.py`."""

import itertools

import pytest
import torch
from networks import CPU
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from sweeper.datasets.data import load_run_data
from sweeper.engine import capture, graphs
from sweeper.engine.devices import Device
from sweeper.engine.evaluate import Evaluation
from sweeper.engine.fuse import ForwardPasses, Fused
from sweeper.engine.loop import Stopped
from sweeper.engine.loss_scale import LossScale
from sweeper.engine.rates import Rates
from sweeper.engine.step import Step
from sweeper.engine.trace import trace
from sweeper.engine.training import batch_sizes, build_training
from sweeper.system.errors import BadInput
from tests.engine.test_loop import configure, finish, start

SMALL = ("model=cnn", "model.width=4", "batch_size=64", "schedule=constant", "epochs=2")  # 300 images: 4 × 64 + 44
SMOOTHED, CLIPPED, AVERAGED, DROPPED = "label_smoothing=0.2", "clip_grad_norm=0.3", "ema=0.8", "drop_last=true"
ALL = (SMOOTHED, CLIPPED, AVERAGED, DROPPED)


def small(*overrides: str) -> dict:
    return configure(*SMALL, *overrides)


class Operators(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def operators_of_a_step(*options: str, plainly: bool = False) -> list[str]:
    """The operators of a second step, when the optimizer's state exists."""
    config = small("optimizer=sgd", *options)
    parts = build_training(config, load_run_data(config), CPU)
    step = parts.step
    parts.order.draw(1, epoch=1)
    step.run(64)
    with Operators() as seen:
        if not plainly:
            parts.run_step(64)
        else:  # what a step without any option has to do
            places = (step._next_image + step._within_batch[:64]) % len(step.batches)
            images, labels, index = step.batches.take(step.order, places)
            parts.optimizer.zero_grad(set_to_none=True)
            logits = parts.model(images.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits.float(), labels)
            loss.backward()
            parts.meter.add(step._next_step % len(parts.meter.losses), loss, logits.argmax(1) == labels, index)
            step._next_image += 64
            step._next_step += 1
            parts.meter.set_lr(parts.optimizer.param_groups[0]["lr"])
            parts.optimizer.step()
    return seen.names


def test_options_that_are_off_cost_no_operator():
    plain = operators_of_a_step(plainly=True)
    assert operators_of_a_step() == operators_of_a_step("label_smoothing=0", "drop_last=false") == plain
    assert operators_of_a_step(DROPPED) == plain
    for option in (SMOOTHED, CLIPPED, AVERAGED):
        assert len(operators_of_a_step(option)) > len(plain)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon", "sam", "sophia", "prodigy"])
def test_a_run_stopped_anywhere_goes_on_bit_for_bit(optimizer, tmp_path):
    config = small(f"optimizer={optimizer}", *ALL, "noise=symmetric", "noise.rate=0.2")
    whole = finish(config, tmp_path / "whole")
    stops = 0
    while True:  # after every second step, at each epoch's end too
        loop = start(config, tmp_path / "stopped")
        if len(list(itertools.islice(loop, 2))) < 2:
            break
        with pytest.raises(Stopped):
            loop.throw(Stopped())
        stops += 1
    assert stops == 5
    assert finish(config, tmp_path / "stopped") == whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert weights[0] == weights[1]


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Relative, over all weights."""
    names = [name for name in a if a[name].is_floating_point()]
    return (sum((a[n] - b[n]).square().sum() for n in names) / sum(b[n].square().sum() for n in names)).sqrt().item()


@pytest.fixture
def simulated_graphs(monkeypatch):
    """Graphs on the CPU: what is captured isn't done, and a replay does it and leaves gradients where they were."""
    tried: list[graphs.GraphedStep] = []

    class Recorded(graphs.GraphedStep):
        def __init__(self, step: Step, rates: Rates) -> None:
            super().__init__(step, rates)
            tried.append(self)

    class Replayed:
        def __init__(self, work, pool=None) -> None:
            self.work = work
            self.gradients = [(p, p.grad) for p in tried[-1].step.model.parameters()]

        def replay(self) -> None:
            with tried[-1].rates.in_tensors():
                self.work()
            for parameter, gradient in self.gradients:
                if gradient is not None and parameter.grad is not None:
                    gradient.copy_(parameter.grad)

        def pool(self) -> None:
            return None

    def twice(work) -> None:
        work()
        work()

    monkeypatch.setattr(Device, "graphs", True)
    monkeypatch.setattr("sweeper.engine.training.GraphedStep", Recorded)
    monkeypatch.setattr(graphs, "Graph", Replayed)
    monkeypatch.setattr("sweeper.engine.evaluate.Graph", Replayed)
    monkeypatch.setattr(graphs, "warm_up", twice)
    for module in (graphs, capture):
        monkeypatch.setattr(module, "without_waiting", lambda work: work())
    # Here, tensors on the CPU are the device's.
    monkeypatch.setattr(graphs, "_host_state", lambda optimizer: [n for *_, n in graphs._host_numbers(optimizer)])
    for name, function in (("get_rng_state", torch.get_rng_state), ("set_rng_state", torch.set_rng_state)):
        monkeypatch.setattr(torch.cuda, name, function)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return tried


@pytest.mark.parametrize(
    ("optimizer", "tier"),
    [("sgd", graphs.WHOLE), ("muon", graphs.WHOLE), ("sam", graphs.WHOLE), ("adan", graphs.PARTLY)],
)
def test_graphs_leave_the_average_to_the_steps_that_count(optimizer, tier, tmp_path, monkeypatch, request):
    """Trials, warm-ups and comparisons of a recording are undone in the average too."""
    if optimizer == "adan":
        pytest.importorskip("pytorch_optimizer")
    config = small(f"optimizer={optimizer}", SMOOTHED, CLIPPED, AVERAGED)  # a short batch has a graph of its own
    rows = finish(config, tmp_path / "eager")
    tried = request.getfixturevalue("simulated_graphs")
    graphed = finish(config, tmp_path / "graphs")
    assert tried[-1].tier == tier and set(tried[-1]._recordings) == {64, 44}
    assert [row["test_loss"] for row in graphed] == pytest.approx([row["test_loss"] for row in rows], rel=1e-4)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("graphs", "eager")]
    assert distance(*weights) < 1e-5  # a graph's rate has 32 bits
    monkeypatch.setattr(
        Step, "tensors", lambda self: [*self.model.state_dict().values(), self._next_image, self._next_step]
    )
    finish(config, tmp_path / "not undone")
    assert distance(load_file(tmp_path / "not undone" / "model.safetensors"), weights[1]) > 1e-4


@pytest.mark.parametrize("overflows", [False, True])
def test_under_loss_scaling_gradients_are_clipped_once_they_are_unscaled(overflows):
    """With and without the host, and where the step is skipped."""
    ends = []
    for update in ("update", "update_alone", "unscaled"):
        config = small("optimizer=sgd", CLIPPED, AVERAGED)
        parts = build_training(config, load_run_data(config), CPU)
        step = parts.step
        parts.order.draw(1, epoch=1)
        if update != "unscaled":
            step.loss_scale = LossScale(torch.device("cpu"), initial=float("inf") if overflows else 1024.0)
        for _ in range(3):
            step.differentiate(64)
            getattr(step, "update" if update == "unscaled" else update)()
        assert update == "unscaled" or float(step.loss_scale.overflow) == overflows
        ends.append([*parts.model.state_dict().values(), *step.ema.tensors()])
    for a, b, unscaled in zip(*ends, strict=True):
        assert torch.equal(a, b) and a.isfinite().all()
        if not overflows:
            torch.testing.assert_close(a, unscaled)
    first = build_training(config, load_run_data(config), CPU).model
    assert torch.equal(next(first.parameters()), ends[0][0]) == overflows


def test_runs_in_turn_give_what_they_give_alone(tmp_path):
    configs = [small(*options) for options in (ALL, ("ema=0.5", "seed=2"), ("clip_grad_norm=0.1", DROPPED))]
    alone = [finish(config, tmp_path / f"alone{k}") for k, config in enumerate(configs)]
    rows: list[list[dict]] = [[] for _ in configs]
    loops = [start(config, tmp_path / f"turn{k}", rows[k]) for k, config in enumerate(configs)]
    for _ in itertools.zip_longest(*loops):
        pass
    for k, each in enumerate(rows):
        assert [row["test_loss"] for row in each] == [row["test_loss"] for row in alone[k]]
        weights = [(tmp_path / f"{how}{k}" / "model.safetensors").read_bytes() for how in ("alone", "turn")]
        assert weights[0] == weights[1]


def test_fused_blocks_are_judged_at_the_average(tmp_path, monkeypatch):
    config = configure("model=resnet20", "model.width=8", *SMALL[2:-1], *ALL, "epochs=1")
    whole = finish(config, tmp_path / "model")
    fused: list[Fused] = []

    def passes(model: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> ForwardPasses:
        evaluation, training = (trace(model.train(mode), device, image_shape) for mode in (False, True))
        fused.extend([Fused(training), Fused(evaluation)])
        return ForwardPasses(*fused)

    monkeypatch.setattr("sweeper.engine.training.forward_passes", passes)
    evaluated: list[nn.Module] = []
    measure = Evaluation.measure
    monkeypatch.setattr(Evaluation, "measure", lambda self: (evaluated.append(self.model), measure(self))[1])
    assert finish(config, tmp_path / "fused") == whole
    assert evaluated == [fused[1]]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("model", "fused")]
    assert weights[0] == weights[1]


def test_the_average_is_judged_and_saved_and_the_weights_go_on_training(tmp_path):
    averaged, plain = (
        finish(small(*words, "epochs=3"), tmp_path / str(k)) for k, words in enumerate([(AVERAGED,), ()])
    )
    assert [row["train_loss"] for row in averaged] == [row["train_loss"] for row in plain]
    assert all(a["test_loss"] != b["test_loss"] for a, b in zip(averaged, plain, strict=True))


@pytest.mark.parametrize(
    ("images", "batch_size", "drop_last", "sizes"),
    [
        (300, 64, False, [64, 64, 64, 64, 44]),
        (300, 64, True, [64, 64, 64, 64]),
        (128, 64, True, [64, 64]),
        (64, 64, True, [64]),
        (10, 64, False, [10]),
    ],
)
def test_a_smaller_last_batch_is_left_out(images, batch_size, drop_last, sizes):
    assert batch_sizes(images, batch_size, drop_last) == sizes


@pytest.mark.parametrize(("options", "images"), [((), 300), ((DROPPED,), 256)])
def test_statistics_made_anew_are_of_the_batches_that_are_trained(options, images):
    config = small("optimizer=sgd", *options)
    parts = build_training(config, load_run_data(config), CPU)
    seen: list[int] = []
    parts.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    assert len(list(parts.step.forward_batches(50))) == len(seen) == len(parts.sizes)
    assert seen == parts.sizes and sum(seen) == images


def test_leaving_out_the_only_batch_is_refused():
    with pytest.raises(BadInput, match=r"^drop_last=true: no batch is left, since batch_size=64 is more than the 63 "):
        batch_sizes(63, 64, drop_last=True)


def test_the_loop_refuses_a_second_average():
    pytest.importorskip("schedulefree")
    config = small("optimizer=schedule_free_sgd", AVERAGED)
    with pytest.raises(BadInput, match=r"^ema=0\.8: SGDScheduleFree averages its weights already"):
        build_training(config, load_run_data(config), CPU)
