"""Every optimizer class of torch, pytorch_optimizer and schedulefree resumes to the bit, or is refused in one line."""

import inspect
import itertools
import os
import warnings
from collections import Counter

import pytest
import torch
from torch.optim import Optimizer

from sweeper.config.targets import load_target
from sweeper.engine.loop import Diverged, Stopped
from sweeper.system.errors import BadInput
from sweeper.train.rehearse import rehearse
from tests.engine.test_loop import configure, start

pytestmark = pytest.mark.faults

GIVEN = {"lr": 1e-3, "num_iterations": 100, "total_steps": 100, "num_data": 300}  # options without a default


def classes() -> list[str]:
    import pytorch_optimizer
    import schedulefree

    found: dict[type, str] = {}
    for module in (torch.optim, pytorch_optimizer, schedulefree):
        for name, value in vars(module).items():
            if inspect.isclass(value) and issubclass(value, Optimizer) and not inspect.isabstract(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return sorted(set(found.values()) - {"torch.optim.Optimizer"})


def node(path: str) -> dict:
    needed = [p.name for p in inspect.signature(load_target("", path)).parameters.values() if p.default is p.empty]
    return {"name": path, "_target_": path, **{name: GIVEN[name] for name in needed if name in GIVEN}}


def outcome(path: str, folder, caplog) -> str:
    """How the class fares, trained two and two epochs; anything but a result or a refusal fails the test."""
    config = {
        **configure("model=mlp", "model.width=16", "epochs=4"),
        "optimizer": node(path),
        "outputs": str(folder / "outputs"),
    }
    try:
        rehearse([config])
    except BadInput as refused:
        line = str(refused)
        assert "\n" not in line and line.startswith((f"optimizer={path}: ", "optimizer.")), line
        return f"refused: {line}"
    ends = []
    for stop in (None, 9):  # in the third of four epochs of four steps
        run, rows = folder / str(stop), []
        try:
            loop = start(config, run, rows)
            if stop:
                for _ in itertools.islice(loop, stop + 2):
                    pass
                with pytest.raises(Stopped):
                    loop.throw(Stopped())
                rows.clear()
                loop = start(config, run, rows)
            for _ in loop:
                pass
            ends.append((run / "model.safetensors").read_bytes())
        except Diverged as diverged:
            ends.append(str(diverged).encode())
    assert not [record for record in caplog.records if record.levelname == "WARNING"], caplog.text
    assert ends[0] == ends[1], "the resumed run differs"
    return "resumes"


def test_all_resume_or_are_refused(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "disable", True)  # some compile their step, which takes minutes
    results, faults = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in classes():
            if os.environ.get("SWEEPER_OPTIMIZERS", "") not in path:
                continue
            caplog.clear()
            try:
                results[path] = outcome(path, tmp_path / path, caplog)
            except Exception as fault:
                results[path] = faults[path] = f"{type(fault).__name__}: {str(fault)[:300]}"
            print(f"{path:50} {results[path]}", flush=True)
    print(Counter(result.partition(":")[0] for result in results.values()))
    assert not faults
    assert os.environ.get("SWEEPER_OPTIMIZERS") or list(results.values()).count("resumes") > 100
