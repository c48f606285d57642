"""The timing probe: processes at the same time, asked by lines; what they build or can't make."""

import os

import pytest

from sweeper.plan.probe import Bound, probe
from sweeper.system.errors import BadInput, RunFailed
from tests.plan.test_timing import prepare

pytestmark = pytest.mark.slow


def test_processes_at_the_same_time_are_asked_by_lines():
    config, _, _ = prepare()
    found = probe([config], at_a_time=2, threads=1, seconds=0.2, pack=2)
    assert (found.device, found.lanes, found.gain) == ("cpu", 1, 1.0)  # a CPU packs nothing
    assert found.timings[0].images == 300 and 0 < found.start_seconds < 120 and 0 < found.load_seconds < 120


def test_what_may_be_left_out_is_once_the_time_is_over():
    """The first and the last are needed."""
    config, _, _ = prepare()
    heard = []
    bound = Bound(needed={0, 2}, seconds=0.0)
    timings = probe([config] * 3, 1, 1, 0.01, 0, bound, lambda place, timing: heard.append((place, timing))).timings
    assert timings[1] is None and heard == [(0, timings[0]), (2, timings[2])] and timings[2].images == 300


def test_what_was_built_for_the_probe_is_not_counted_for_the_sweep(tmp_path, monkeypatch, capfd):
    """A model that, as Triton, builds its kernels when they aren't in the cache on disk, for two seconds."""
    (tmp_path / "builds.py").write_text(
        "import os, pathlib, time\nfrom sweeper.models import mlp\n"
        "def build(num_classes, image_shape, **options):\n"
        "    kernels = pathlib.Path(os.environ['TRITON_CACHE_DIR'])\n"
        "    if not kernels.is_dir():\n        time.sleep(2)\n        (kernels / 'kernel').mkdir(parents=True)\n"
        "    return mlp(num_classes, image_shape, **options)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "kernels"))
    config, _, _ = prepare()
    config["model"] = {**config["model"], "_target_": "builds.build"}
    (timing,) = probe([config], at_a_time=1, threads=1, seconds=0.2, pack=0).timings
    assert timing.first_seconds < 1.5 and timing.setup_seconds < 1.5
    assert "kernels were built: timing a start that finds them" in capfd.readouterr().err
    probe([config], at_a_time=1, threads=1, seconds=0.2, pack=0)
    assert "kernels were built" not in capfd.readouterr().err


def test_what_can_not_be_made_is_bad_input_and_what_breaks_is_said():
    config, _, _ = prepare()
    with pytest.raises(BadInput, match="device=cuda: "):
        probe([{**config, "device": {**config["device"], "kind": "cuda"}}], 1, 1, 0.2, 0)
    with pytest.raises(RunFailed, match="timing probe: KeyError"):
        probe([{**config, "dataset": {}}], 1, 1, 0.2, 0)


def test_what_is_not_installed_is_said_before_anything_is_timed(capfd):
    config, _, _ = prepare()
    missing = {**config, "optimizer": {**config["optimizer"], "_target_": "pytorch_optimiser.SOAP"}}
    with pytest.raises(BadInput, match="no package 'pytorch_optimiser'"):
        probe([config, missing], 1, 1, 0.2, 0)
    assert "timing" not in capfd.readouterr().err
