"""The facts that a run's bits depend on: in the record, in the checkpoint, compared where a run goes on."""

import contextlib
from dataclasses import replace

import pytest
import torch
from conftest import TINY
from forked import run_forked, start
from made_runs import change_record, make_run

from sweeper.datasets.data import load_run_data
from sweeper.engine import numerics
from sweeper.engine.devices import choose_device, has_precision, prepare_process, set_variables
from sweeper.engine.loop import Stopped, train
from sweeper.engine.numerics import FACTS, begun_with, carry_over, describe, facts_of, go_on, keep, threads_to_use
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import read_run
from sweeper.train.record import describe_environment
from tests.engine.test_loop import configure

CPU = {"device": "cpu", "device_name": "A CPU", "precision": "fp32", "threads": 2, "deterministic": False}
CPU |= {"compile": False, "memory_format": "channels_last", "augmentation": "torch", "instructions": "AVX2"}
CUDA = {**CPU, "device": "cuda", "device_name": "A GPU", "precision": "bf16", "augmentation": "triton", "threads": 16}
DEFAULT = {"kind": "auto", "threads": None, "precision": "auto", "compile": "auto", "deterministic": False}
SO = "so its numbers differ from an uninterrupted run's"


def environment(facts: dict, torch_version: str = "2.9.0", **more: object) -> dict:
    return {"versions": {"torch": torch_version}, **facts, **more}


def interrupted(folder, facts: dict, **more: object):
    """A run that can go on, with a record of these facts."""
    run = make_run(folder, "interrupted")
    change_record(run, environment=environment(facts, **more))
    (run / CHECKPOINT_FILES[0]).touch()
    return run


def test_every_fact_is_in_the_record_after_what_was_there(tmp_path):
    config = configure()
    device, data = choose_device(config["device"], threads=1), load_run_data(config)
    told = describe_environment(config, tmp_path, device, data, [], None)
    assert set(facts_of(told)) == set(FACTS) - {"code"}  # none of it is the user's own
    assert facts_of(told)["torch"] == torch.__version__ and facts_of(told)["threads"] == 1
    names = list(told)
    assert names[:5] == ["versions", "device", "device_name", "precision", "threads"]
    assert names[names.index("overrides") + 1 :] == [
        "deterministic",
        "compile",
        "memory_format",
        "augmentation",
        "instructions",
    ]


@pytest.mark.parametrize(("kind", "name"), [(k, name) for k, names in numerics.OF_LIBRARIES.items() for name in names])
def test_a_variable_by_which_libraries_compute_otherwise_is_a_fact(monkeypatch, kind, name):
    monkeypatch.setattr(numerics, "triton_serves", lambda device: False)  # which asks the GPU
    set_variables()  # among them one that is a fact only with another value
    device = replace(choose_device(DEFAULT | {"kind": "cpu"}, threads=1), kind=kind)
    then, told = describe(device), describe(device) | {"versions": {}}
    assert go_on(told, {"numerics": then, "epoch": 1, "step": 1}) is None
    monkeypatch.setenv(name, "COMPATIBLE")
    told = describe(device) | {"versions": {}}
    by = then["instructions"]
    line = f"this run began by {by}; it goes on by {by} with {name}=COMPATIBLE, {SO}"
    assert go_on(told, {"numerics": then, "epoch": 1, "step": 1}) == line


@pytest.mark.parametrize(
    ("options", "began", "kept", "refused"),
    [
        ({}, CPU, {"threads": 2, "precision": "fp32", "deterministic": False}, []),
        ({"threads": 2}, CPU, {"threads": 2}, []),
        ({"threads": 3}, CPU, {"threads": 2}, ["device.threads=3 isn't used: the run goes on with device.threads=2"]),
        ({}, {**CPU, "precision": "bf16"}, {"precision": "bf16"}, []),
        ({}, {**CPU, "precision": "fp16"}, {"precision": "auto"}, []),  # no CPU of ours computes it
        ({"compile": "true"}, CPU, {"compile": False}, ["device.compile=true isn't used"]),
        ({}, {**CPU, "compile": True}, {"compile": True}, []),
        ({}, {**CPU, "deterministic": True}, {"deterministic": True}, ["device.deterministic=false isn't used"]),
        ({}, CUDA, DEFAULT, []),  # another kind of device keeps nothing
        ({"threads": 3}, CUDA, {"threads": 3}, []),
        ({}, None, DEFAULT, []),
        *(({}, {"device": "cpu", "threads": n}, DEFAULT, []) for n in (0, True, "2", 10**6, 1.5, None)),
    ],
)
def test_what_a_run_keeps_when_it_goes_on(options, began, kept, refused):
    new = options.get("threads", 1)
    found = keep({**DEFAULT, **options}, new, began, "cpu")
    assert {name: found.options[name] for name in kept} == kept
    assert found.threads == (found.options["threads"] or new)
    assert len(found.refused) == len(refused)
    for line, begins in zip(found.refused, refused, strict=True):
        assert line.startswith(begins) and line.endswith("as it began; rerun=true trains it anew")


def test_fewer_cores_than_threads_are_told_of(monkeypatch):
    monkeypatch.setattr("sweeper.engine.numerics.cores", lambda: 1)
    assert keep(DEFAULT, 1, CPU, "cpu").lines == ["the run goes on with the 2 threads it began with; there is 1 core"]
    assert keep({**DEFAULT, "threads": 2}, 2, None, "cpu").lines == []  # as asked for


def test_a_gpu_run_keeps_its_precision_where_the_gpu_has_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    assert has_precision("cuda", "fp16") and not has_precision("cuda", "bf16")
    assert keep(DEFAULT, 1, CUDA, "cuda").options["precision"] == "auto"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    found = keep(DEFAULT, 1, {**CUDA, "precision": "fp16"}, "cuda")
    assert found.options["precision"] == "fp16" and found.threads == 1  # a GPU's numbers don't depend on threads


@pytest.mark.parametrize(
    ("then", "now", "line"),
    [
        (CPU, CPU, None),
        (CUDA, CPU, f"this run began on cuda in bf16; it goes on on cpu in fp32, {SO}"),
        (CPU, {**CPU, "threads": 1}, f"this run began with threads=2; it goes on with threads=1, {SO}"),
        (CUDA, {**CUDA, "threads": 1}, None),
        (
            CUDA,
            {**CUDA, "augmentation": "torch"},
            f"this run began augmented by triton; it goes on augmented by torch, {SO}",
        ),
        (CUDA, {**CUDA, "device_name": "Another"}, f"this run began on A GPU; it goes on on Another, {SO}"),
        (CUDA, {**CUDA, "precision": "fp16"}, f"this run began in bf16; it goes on in fp16, {SO}"),
        (
            CPU,
            {**CPU, "memory_format": "contiguous_format", "instructions": "AVX512"},
            f"this run began in channels_last by AVX2; it goes on in contiguous_format by AVX512, {SO}",
        ),
        (
            CPU,
            {**CPU, "deterministic": True, "compile": True},
            f"this run began with deterministic=false with compile=false; "
            f"it goes on with deterministic=true with compile=true, {SO}",
        ),
        ({"device": "cpu"}, CPU, None),  # an earlier version told less
        ({}, CPU, None),
    ],
)  # fmt: skip
def test_what_a_run_could_not_keep_is_said_in_a_line_and_recorded(then, now, line):
    told = environment(now)
    assert go_on(told, {"numerics": then, "epoch": 3, "step": 5}) == line
    part = {**then, "until_epoch": 3, "until_step": 5}
    assert told.get("earlier") == ([part] if line else None)


def test_a_checkpoint_with_the_facts_of_this_machine_is_loaded(tmp_path):
    config, run = configure("epochs=2"), RunDirectory(tmp_path)
    device, data = choose_device(config["device"], threads=1), load_run_data(config)
    told = describe_environment(config, tmp_path, device, data, [], None)
    stop_after(2, run, told)
    assert run.load_checkpoint()["numerics"] == facts_of(told) == begun_with(run, None)


def test_another_torch_is_told():
    then, now = environment(CPU, "2.8.0"), environment(CPU, "2.9.0")
    line = go_on(now, {"numerics": facts_of(then), "earlier": [], "epoch": 1, "step": 1})
    assert line == f"this run began by torch 2.8.0; it goes on by torch 2.9.0, {SO}"


def test_other_code_of_the_users_own_is_told_and_known_ever_after():
    then, now = ({**CPU, "code": {"helper": "0", "myopt": digits}} for digits in ("1", "2"))
    told = environment(now)
    line = go_on(told, {"numerics": facts_of(environment(then)), "earlier": [], "epoch": 2, "step": 1})
    assert line == (
        f"this run began with the code of myopt (1); it goes on with the code of myopt (2), {SO}; "
        "rerun=true trains it anew"
    )
    assert [part["code"] for part in told["earlier"]] == [{"helper": "0", "myopt": "1"}]


@pytest.mark.parametrize("then", [{}, {"code": {"other": "1"}}, {"code": "x"}], ids=["unknown", "others", "no code"])
def test_code_of_which_one_side_tells_nothing_is_not_told(then):
    told = environment({**CPU, "code": {"myopt": "2"}})
    assert go_on(told, {"numerics": {**CPU, **then}, "epoch": 2, "step": 1}) is None and "earlier" not in told


def test_each_part_of_a_run_stays_known():
    """cuda, then cpu, then cuda again: nothing to say any more, but its record tells that it wasn't cuda alone."""
    told = environment(CPU)
    go_on(told, {"numerics": CUDA, "earlier": [], "epoch": 2, "step": 0})
    (first,) = told["earlier"]
    told = environment(CUDA)
    assert go_on(told, {"numerics": CPU, "earlier": [first], "epoch": 4, "step": 1}) is None
    assert [(part["device"], part["until_epoch"]) for part in told["earlier"]] == [("cuda", 2), ("cpu", 4)]
    go_on(told, None)  # it begins anew
    assert "earlier" not in told


def test_what_a_run_began_with_outlives_records_of_attempts(tmp_path):
    """Begun on the CPU; killed on a GPU before anything was trained there; the CPU's threads are still known."""
    run = interrupted(tmp_path, CPU)
    told = environment(CUDA)
    carry_over(told, run, read_run(run))
    change_record(run, environment=told)
    assert begun_with(RunDirectory(run), read_run(run))["threads"] == 2
    assert threads_to_use(None, 1, run, "cpu") == 2 and threads_to_use(None, 1, run, "cuda") == 1
    back = environment(CPU)
    carry_over(back, run, read_run(run))
    assert go_on(back, {"numerics": CPU, "earlier": [], "epoch": 1, "step": 1}) is None and "earlier" not in back


def test_a_run_without_a_checkpoint_begins_as_a_new_one(tmp_path):
    run = interrupted(tmp_path, CPU)
    assert threads_to_use(None, 1, run, "cpu") == 2
    (run / CHECKPOINT_FILES[0]).unlink()
    assert begun_with(RunDirectory(run), read_run(run)) is None and threads_to_use(None, 1, run, "cpu") == 1


@pytest.mark.parametrize("nonsense", [{}, [], [3], [{"threads": "x", "device": "cpu"}], "text", [[]], {"a": 1}])
def test_nonsense_in_a_record_is_not_believed(tmp_path, nonsense):
    run = interrupted(tmp_path, {**CPU, "threads": ["2"]}, earlier=nonsense)
    assert threads_to_use(None, 1, run, "cpu") == 1
    told = environment(CPU)
    carry_over(told, run, read_run(run))
    go_on(told, {"epoch": 1, "step": 1})


def stop_after(steps: int, run: RunDirectory, facts: dict) -> None:
    config = configure("epochs=2")
    device, data = choose_device(config["device"], threads=1), load_run_data(config)
    loop = train(config, data, device, run, [], lambda row: None, facts)
    for _ in range(steps):
        next(loop)
    with pytest.raises(Stopped):
        loop.throw(Stopped())


def test_the_checkpoint_holds_the_facts_and_is_believed_where_the_record_is_damaged(tmp_path, caplog):
    run = RunDirectory(tmp_path / "run")
    stop_after(2, run, environment(CUDA))
    assert begun_with(run, None) == facts_of(environment(CUDA))
    told = environment(CPU)
    stop_after(2, run, told)
    assert f"{run.path}: this run began on cuda in bf16; it goes on on cpu in fp32, {SO}" in caplog.messages
    assert told["earlier"] == [{**facts_of(environment(CUDA)), "until_epoch": 1, "until_step": 2}]
    assert run.load_checkpoint()["earlier"] == told["earlier"]
    assert begun_with(run, None)["device"] == "cuda"
    run.write_run("interrupted", configure(), told)
    assert (
        begun_with(run, read_run(run.path)) == told["earlier"][0]
        and read_run(run.path)["environment"]["earlier"] == told["earlier"]
    )


@pytest.mark.parametrize("record", ["", "{}", None])
def test_a_run_with_a_damaged_record_has_the_threads_of_its_checkpoint(tmp_path, record):
    run = RunDirectory(tmp_path / "run")
    stop_after(2, run, environment({**CPU, "threads": 3}))
    if record is not None:
        (run.path / "run.json").write_text(record)
    with torch_threads():
        assert threads_to_use(None, 1, run.path, "cpu") == 3
        assert threads_to_use(None, 1, run.path, "cuda") == 1
        (run.path / "checkpoint.pt").write_bytes(b"damaged too")
        assert threads_to_use(None, 1, run.path, "cpu") == 1


@contextlib.contextmanager
def torch_threads():
    """The number of threads is as before after it."""
    before = torch.get_num_threads()
    yield
    prepare_process(before)


STOP_IN_EPOCH_2 = """
import os, signal
from sweeper.engine.augment import EpochOrder
draw = EpochOrder.draw
def stop(self, seed, epoch):
    if epoch == 2:
        os.kill(os.getpid(), signal.{signal})
    draw(self, seed, epoch)
EpochOrder.draw = stop
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_a_model_that_needs_its_images_contiguous_goes_on_without_a_word(tmp_path, number):
    """The device alone, as a record tells it before the model is built, says channels_last."""
    words = (*TINY, "dataset.train_limit=100", "model=resnet20", "model.width=4", "checkpoint_every=1")
    stopped = start("train", *words, cwd=tmp_path, log=tmp_path / "log", patch=STOP_IN_EPOCH_2.format(signal=number))
    assert stopped.wait(300) in (143, -9), stopped.text
    done = run_forked("train", *words, cwd=tmp_path)
    assert done.returncode == 0 and "going on from the checkpoint: epoch 2" in done.stderr, done.stderr
    assert "began" not in done.stderr
    (path,) = tmp_path.glob("outputs/*/*")
    told = read_run(path)["environment"]
    assert told["memory_format"] == "contiguous_format" and "earlier" not in told
