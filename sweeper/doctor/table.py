"""Prints the document of `sweeper.doctor`: a line for each check, with ✓ or ✗ and the reason."""

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from sweeper.datasets.facts import download_command
from sweeper.system.terminal import say
from sweeper.system.text import counted, duration, printable, size

CIFAR10 = 50_000  # training images


def print_document(document: dict[str, Any]) -> None:
    """Print the document, in colors on a terminal. Long lines aren't wrapped, so that commands can be copied."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 110, soft_wrap=True)
    with console.capture() as captured:
        for mark, text in lines(document):
            color = {"✓": "green", "✗": "red"}.get(mark, "")
            console.print(Text.assemble((f"{mark} " if mark else "", color), printable(text)))
    say(captured.get(), end="", styled=True)


def lines(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Each line's mark, which is ✓, ✗, – (not needed) or none, and its text."""
    machine, versions = document["machine"], document["versions"]
    memory = f"{size(machine['memory_bytes'])} of memory, {size(machine['memory_available_bytes'])} free"
    named = ", ".join(f"{name} {value or '– not installed'}" for name, value in versions.items() if name != "system")
    found = [
        ("", named),
        ("", f"{versions['system']}, {counted(machine['cores'], 'core')}, {memory}"),
        ("", ""),
        *(line for device in document["devices"] for line in _device(device)),
        ("", ""),
        _outputs(document["outputs"]),
        ("", ""),
    ]
    found += [("✓", f"dataset={data['name']}") for data in document["datasets"] if data["present"]]
    if later := [data for data in document["datasets"] if not data["present"]]:
        sizes = ", ".join(f"{data['name']} ({data['megabytes']} MB)" for data in later)
        command = download_command(*(data["name"] for data in later))
        found += [("–", f"downloaded when first used: {sizes}; or now, by"), ("", f"    {command}")]
    missing = [extra for extra in document["extras"] if not extra["present"]]
    found += [("–", f"{extra['purpose']}: {extra['command']}") for extra in missing]
    found.append(("", ""))
    if document["works"]:
        best = next(device for device in document["devices"] if device["works"])
        return [*found, ("✓", f"training works here, on {best['kind'].upper()} by default")]
    return [*found, *(("✗", problem) for problem in document["problems"])]


def _device(device: dict[str, Any]) -> list[tuple[str, str]]:
    kind = device["kind"].upper()
    if not device["works"] and device["losses"] is None:
        return [("✗", f"{kind}: {device['why']}")]
    told = [("✓" if device["works"] else "✗", f"{kind}: {device['name']}, {device['precision']} by default")]
    if device["why"]:
        told.append(("", f"    {device['why']}"))
    for precision, losses in device["losses"].items():
        shown = " → ".join("–" if loss is None else f"{loss:.3f}" for loss in losses)
        differs = (device["differs_from_cpu"] or {}).get(precision)
        beside = "" if differs is None else f"; {100 * differs:.2g} % from the CPU's in the first one"
        told.append(("", f"    {precision}: training loss of three epochs of digits {shown}{beside}"))
    speed = device["images_per_second"]
    told.append(
        ("", f"    ResNet-18: {speed:,.0f} images/s, so an epoch of CIFAR-10 takes {duration(CIFAR10 / speed)}")
    )
    fits, advice = device["batch_size_that_fits"], device["batch_size"]
    how = "by users' figure, 4 GB at 128" if fits is None else f"up to {fits:,} fit by measure"
    told.append(("", f"    batch_size up to {advice} suits its memory ({how})"))
    if device["kernels"] is False:
        told.append(("", "    our own kernels don't run: the GPU is older than Ampere, or apt install gcc python3-dev"))
    return told


def _outputs(outputs: dict[str, Any]) -> tuple[str, str]:
    if outputs["error"]:
        return "✗", f"{outputs['path']}/: {outputs['error']}"
    grid, weights, checkpoints = (
        size(outputs[f"{name}_bytes"]) for name in ("grid", "grid_with_weights", "checkpoints")
    )
    room, speed = size(outputs["free_bytes"]), size(outputs["write_bytes_per_second"])
    return "✓", (
        f"{outputs['path']}/: {room} free, writes {speed}/s; the grid of 15 runs on CIFAR-10 leaves {grid} "
        f"({weights} with weights), and takes {checkpoints} while a run trains"
    )
