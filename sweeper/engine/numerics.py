"""Records the device, precision, threads and other facts besides the configuration that change a run's exact numbers.

They are in `environment` and in the checkpoint. A resumed run keeps as many of them as possible and reports the others.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.engine.devices import WORKSPACE, has_precision, prepare_process
from sweeper.engine.kernels.triton import triton_serves
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.own_code import CODE, changed_modules, recorded_code
from sweeper.runs.record import EARLIER, Damaged, read_run
from sweeper.system.machine import cores
from sweeper.system.text import counted, shortened

if TYPE_CHECKING:
    from sweeper.engine.devices import Device

Facts = dict[str, Any]

# Names in `environment`, and how messages phrase them; torch's version is under `environment.versions`.
FACTS = {
    "device": "on {}",
    "device_name": "on {}",
    "precision": "in {}",
    "threads": "with threads={}",  # of the CPU
    "deterministic": "with deterministic={}",
    "compile": "with compile={}",
    "memory_format": "in {}",  # of images
    "augmentation": "augmented by {}",  # `triton` is our own kernel
    "instructions": "by {}",  # see `_instructions`
    "torch": "by torch {}",
    CODE: "with the code of {}",  # of the user's own
}
# Facts that a resumed run keeps on the same kind of device; threads only on the CPU.
KEPT = ("threads", "precision", "deterministic", "compile")
# Facts that depend on the kind of device: if the kind differs, only the kind is reported.
OF_THE_KIND = {"device_name", "threads", "compile", "memory_format", "augmentation", "instructions"}
# Variables by which the libraries that compute for torch choose other instructions or another precision.
OF_LIBRARIES = {
    "cpu": (
        "MKL_CBWR",
        "MKL_ENABLE_INSTRUCTIONS",
        "OPENBLAS_CORETYPE",
        *(f"{of}_{what}" for of in ("ONEDNN", "DNNL") for what in ("MAX_CPU_ISA", "DEFAULT_FPMATH_MODE")),
    ),
    "cuda": (
        "NVIDIA_TF32_OVERRIDE",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "CUBLAS_EMULATE_SINGLE_PRECISION",
        "CUBLAS_WORKSPACE_CONFIG",
    ),
    "mps": (),
}
MOST_THREADS = 4096  # a recorded number above this is ignored


def describe(device: "Device") -> Facts:
    """The facts of a run on `device`, except torch's version."""
    import torch

    return {
        "device": device.kind,
        "device_name": device.name,
        "precision": device.precision,
        "threads": device.threads,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "compile": device.compile,
        "memory_format": str(device.memory_format).removeprefix("torch."),
        "augmentation": "triton" if triton_serves(device.torch_device) else "torch",
        "instructions": _instructions(device.kind),
    }


def _instructions(kind: str) -> str:
    """The CPU's instruction set as torch names it, or the GPU's libraries, and the variables that let the libraries
    compute otherwise."""
    import torch

    usual = torch.backends.cpu.get_cpu_capability() if kind == "cpu" else f"the libraries of {kind}"
    given = {name: os.environ.get(name) for name in OF_LIBRARIES[kind]}
    named = [f"{name}={shortened(value, 40)}" for name, value in given.items() if value not in (None, "", WORKSPACE)]
    return " with ".join([usual, *([" and ".join(named)] if named else [])])


def facts_of(environment: dict[str, Any]) -> Facts:
    """The facts in a record's environment; a record of an earlier version has fewer."""
    versions = environment.get("versions")
    torch = versions.get("torch") if isinstance(versions, dict) else None
    torch = str(torch) if isinstance(torch, str) else None  # a checkpoint must not contain torch's own string class
    facts = {name: value for name, value in {**environment, "torch": torch}.items() if name in FACTS and name != CODE}
    found = {name: value for name, value in facts.items() if isinstance(value, (str, int))}
    return found | ({CODE: code} if (code := recorded_code(environment)) else {})


def begun_with(run: RunDirectory, record: dict[str, Any] | None, name: str | None = None) -> Facts | None:
    """The facts with which a run started, if it has a checkpoint to resume from; else None.

    They are read from the record, or from the checkpoint if there is no valid record.

    Args:
        name: the run's name, see `whole_checkpoint`.
    """
    if not _can_go_on(run.path):
        return None
    if record is not None:
        return _first(record["environment"].get(EARLIER), facts_of(record["environment"]))
    state = whole_checkpoint(run, name)
    return None if state is None else _first(state.get(EARLIER), state.get("numerics"))


def whole_checkpoint(run: RunDirectory, name: str | None = None) -> dict[str, Any] | None:
    """The state of the latest whole checkpoint, or None.

    Args:
        name: the run's name: a checkpoint that names another run isn't taken. None takes any.
    """
    for file in CHECKPOINT_FILES:
        with contextlib.suppress(Damaged):
            state = run.load_checkpoint(file)
            if state is not None and name in (None, state.get("run", name)):
                return state
    return None


def threads_to_use(asked: int | None, new: int, directory: Path, kind: str) -> int:
    """The threads of a run: those it began with if it resumes, `new` if it starts.

    They are in its record, or if that is damaged in its checkpoint; only the checkpoint needs torch.
    """
    if kind != "cpu" or not _can_go_on(directory):
        return new
    run = RunDirectory(directory)
    try:
        record = read_run(directory)
    except Damaged:
        record = None
        prepare_process(new)  # before torch is imported
    return keep({"threads": asked, "kind": kind}, new, begun_with(run, record), kind).threads


@dataclass(frozen=True)
class Kept:
    """The options of the group `device` and the threads that a run uses; kept values replace requested ones."""

    options: dict[str, Any]
    threads: int
    refused: list[str]  # a line for each explicitly requested option that isn't used
    lines: list[str]  # these, and one if there are fewer cores than threads


def keep(options: dict[str, Any], threads: int, began: Facts | None, kind: str) -> Kept:
    """Choose the options and threads with which a run resumes. If it started on another kind of device, none is kept.

    Args:
        options: the requested options of the group `device`.
        threads: the threads of a new run.
        began: the result of `begun_with`.
    """
    if began is None or began.get("device") != kind:
        return Kept(options, threads, [], [])
    kept: dict[str, Any] = {}
    refused = []
    for name in KEPT:
        if not _can_keep(name, began.get(name), kind):
            continue
        value, asked = began[name], options.get(name)
        kept[name] = value
        if asked is not None and str(asked).lower() not in ("auto", str(value).lower()):
            instead = f"device.{name}={_typed(value)}, as it began"
            refused.append(
                f"device.{name}={_typed(asked)} isn't used: the run goes on with {instead}; rerun=true trains it anew"
            )
    lines, here = [*refused], cores()
    if kept.get("threads", 0) > here:
        few = f"there {'is' if here == 1 else 'are'} {counted(here, 'core')}"
        lines.append(f"the run goes on with the {kept['threads']} threads it began with; {few}")
    return Kept({**options, **kept}, kept.get("threads", threads), refused, lines)


def carry_over(environment: dict[str, Any], directory: Path, earlier: dict[str, Any] | None) -> None:
    """Copy the facts of earlier parts from the earlier record into a new one's environment, if they differ."""
    environment.pop(EARLIER, None)
    if earlier is not None and _can_go_on(directory):
        before = earlier["environment"]
        _set(environment, before.get(EARLIER), facts_of(before), {})


def go_on(environment: dict[str, Any], state: dict[str, Any] | None) -> str | None:
    """Update the facts of earlier parts in the environment.

    Args:
        state: the checkpoint from which the run resumes; None if it starts.

    Returns:
        A line if the run resumes with other facts than it started with; else None.
    """
    if state is None:
        environment.pop(EARLIER, None)
    elif isinstance(then := state.get("numerics"), dict):  # checkpoints of an earlier version have none
        until = {"until_epoch": state["epoch"], "until_step": state["step"]}
        _set(environment, state.get(EARLIER), then, until)
    now = facts_of(environment)
    began = _first(environment.get(EARLIER), now) or now
    if not (names := _differences(began, now)):
        return None
    modules = _changed_code(began, now)
    began_words, now_words = (" ".join(_phrase(name, facts, modules) for name in names) for facts in (began, now))
    anew = "; rerun=true trains it anew" if CODE in names else ""
    differ = "so its numbers differ from an uninterrupted run's"
    return f"this run began {began_words}; it goes on {now_words}, {differ}{anew}"


def _can_go_on(directory: Path) -> bool:
    return any((directory / name).exists() for name in CHECKPOINT_FILES)


def _set(environment: dict[str, Any], earlier: Any, then: Facts, until: dict[str, int]) -> None:
    parts = [part for part in earlier if isinstance(part, dict)] if isinstance(earlier, list) else []
    if _differences(then, facts_of(environment)):
        parts.append({**then, **until})
    environment.pop(EARLIER, None)
    if parts:
        environment[EARLIER] = parts


def _first(earlier: Any, otherwise: Facts | None) -> Facts | None:
    return earlier[0] if isinstance(earlier, list) and earlier and isinstance(earlier[0], dict) else otherwise


def _differences(then: Facts, now: Facts) -> list[str]:
    """The names of the facts that differ, without those that depend on another differing fact."""
    names = [name for name in FACTS if name in then and name in now and then[name] != now[name]]
    if CODE in names and not _changed_code(then, now):
        names.remove(CODE)
    if "device" in names:
        return [name for name in names if name not in OF_THE_KIND]
    return [name for name in names if name != "threads" or now.get("device") == "cpu"]


def _changed_code(then: Facts, now: Facts) -> list[str]:
    return changed_modules(recorded_code(then), recorded_code(now))


def _phrase(name: str, facts: Facts, modules: list[str]) -> str:
    """A fact as a message words it; of code the modules that changed."""
    code = recorded_code(facts)
    value = " and ".join(f"{module} ({code[module]})" for module in modules) if name == CODE else _typed(facts[name])
    return FACTS[name].format(value)


def _can_keep(name: str, value: Any, kind: str) -> bool:
    """Whether a recorded value can be used on a device of `kind`."""
    if name == "threads":
        return kind == "cpu" and type(value) is int and 1 <= value <= MOST_THREADS
    if name == "precision":
        return isinstance(value, str) and has_precision(kind, value)
    return isinstance(value, bool)


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
