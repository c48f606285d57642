"""What a run's bits depend on beside its configuration: the list of these facts, what a run keeps of them when it goes
on, and the line that says what it couldn't keep. The facts are in the record's `environment` and in the checkpoint."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.resolved import OPTIONS
from sweeper.engine.devices import has_precision
from sweeper.engine.kernels.triton import triton_serves
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import Damaged, read_run
from sweeper.system.machine import cores

if TYPE_CHECKING:
    from sweeper.engine.devices import Device

Facts = dict[str, Any]

# By their names in `environment`, with the words that say them; torch's version stands there among the others.
FACTS = {
    "device": "on {}",
    "device_name": "on {}",
    "precision": "in {}",
    "threads": "with threads={}",  # of the CPU
    "deterministic": "with deterministic={}",
    "compile": "with compile={}",
    "memory_format": "in {}",  # how images lie
    "augmentation": "augmented by {}",  # triton is our own kernel
    "instructions": "by {}",  # of the CPU, as torch names them
    "torch": "by torch {}",
}
OPTIONS |= {"device.deterministic": "deterministic"}
# Which a run keeps on the same kind of device; of threads that is the CPU.
KEPT = ("threads", "precision", "deterministic", "compile")
# Which follow from the kind of device, so that another kind is all there is to say.
OF_THE_KIND = {"device_name", "threads", "compile", "memory_format", "augmentation", "instructions"}
MOST_THREADS = 4096  # that a record is believed to tell

EARLIER = "earlier"  # in `environment` and in the checkpoint: the facts of each part that was trained otherwise


def describe(device: "Device") -> Facts:
    """The facts of a run on `device`, all but torch's version."""
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
        "instructions": torch.backends.cpu.get_cpu_capability() if device.kind == "cpu" else None,
    }


def facts_of(environment: dict[str, Any]) -> Facts:
    """Those that a record's environment tells; an earlier version's tells fewer."""
    versions = environment.get("versions")
    torch = versions.get("torch") if isinstance(versions, dict) else None
    torch = (
        str(torch) if isinstance(torch, str) else None
    )  # a class of torch's own would not be loaded from a checkpoint
    return {name: value for name, value in ({**environment, "torch": torch}).items() if name in FACTS and _is(value)}


def begun_with(run: RunDirectory, record: dict[str, Any] | None) -> Facts | None:
    """The facts with which a run began that can go on; None where there is nothing to go on from.

    By its record; where there is none to be believed, by its checkpoint.
    """
    if not _can_go_on(run.path):
        return None
    if record is not None:
        return _first(record["environment"].get(EARLIER), facts_of(record["environment"]))
    for name in CHECKPOINT_FILES:
        with contextlib.suppress(Damaged):
            if (state := run.load_checkpoint(name)) is not None:
                return _first(state.get(EARLIER), state.get("numerics"))
    return None


def threads_to_use(asked: int | None, new: int, directory: Path, kind: str) -> int:
    """Threads with which a run will go on or, with `new` ones, begin; by its record alone, without torch."""
    if kind != "cpu" or not _can_go_on(directory):
        return new
    with contextlib.suppress(Damaged):
        environment = read_run(directory)["environment"]
        began = _first(environment.get(EARLIER), facts_of(environment))
        return keep({"threads": asked, "kind": kind}, new, began, kind).threads
    return new


@dataclass(frozen=True)
class Kept:
    """The group `device` and the threads as a run uses them, with what it began with in place of what is asked for."""

    options: dict[str, Any]
    threads: int
    refused: list[str]  # a line for each option that was asked for by name and isn't used
    lines: list[str]  # these, and one where there are fewer cores than threads


def keep(options: dict[str, Any], threads: int, began: Facts | None, kind: str) -> Kept:
    """What a run goes on with on a device of `kind`, which may be another than it began on: then nothing is kept.

    Args:
        options: the group `device`, as asked for.
        threads: of a new run.
        began: as `begun_with` tells.
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
        few = "there is 1 core" if here == 1 else f"there are {here} cores"
        lines.append(f"the run goes on with the {kept['threads']} threads it began with; {few}")
    return Kept({**options, **kept}, kept.get("threads", threads), refused, lines)


def carry_over(environment: dict[str, Any], directory: Path, earlier: dict[str, Any] | None) -> None:
    """Put into a new record's environment what the earlier record tells of parts that were trained otherwise."""
    environment.pop(EARLIER, None)
    if earlier is not None and _can_go_on(directory):
        before = earlier["environment"]
        _set(environment, before.get(EARLIER), facts_of(before), {})


def go_on(environment: dict[str, Any], state: dict[str, Any] | None) -> str | None:
    """Bring the environment's earlier parts up to date by the checkpoint `state` from which the run goes on, or None.

    Returns:
        A line where the run goes on otherwise than it began.
    """
    if state is None:
        environment.pop(EARLIER, None)
    elif isinstance(then := state.get("numerics"), dict):  # an earlier version's has none
        until = {"until_epoch": state["epoch"], "until_step": state["step"]}
        _set(environment, state.get(EARLIER), then, until)
    now = facts_of(environment)
    began = _first(environment.get(EARLIER), now) or now
    if not (names := _differences(began, now)):
        return None
    then_words, now_words = (" ".join(FACTS[n].format(_typed(facts[n])) for n in names) for facts in (began, now))
    return f"this run began {then_words}; it goes on {now_words}, so its numbers differ from an uninterrupted run's"


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
    """Names of the facts that differ, without those that say nothing more."""
    names = [name for name in FACTS if name in then and name in now and then[name] != now[name]]
    if "device" in names:
        return [name for name in names if name not in OF_THE_KIND]
    return [name for name in names if name != "threads" or now.get("device") == "cpu"]


def _can_keep(name: str, value: Any, kind: str) -> bool:
    """Whether a record's value can be used, on a device of `kind`."""
    if name == "threads":
        return kind == "cpu" and type(value) is int and 1 <= value <= MOST_THREADS
    if name == "precision":
        return isinstance(value, str) and has_precision(kind, value)
    return isinstance(value, bool)


def _is(value: Any) -> bool:
    return isinstance(value, (str, int))


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
