"""`python -m sweeper.doctor`: what this machine offers, and whether training works on each of its devices.

Each device trains briefly in a separate process, since a broken one may hang or crash it. `--json` prints one document.
Its fields, null if unknown:

- `works`: whether training works on every device present and the outputs folder can be written; `problems`, a list of
  lines, says what doesn't.
- `devices`, a list: `kind`, `present`, `works`, `why` (it isn't present or doesn't work), `name`, `precision`, `losses`
  (by precision, of three epochs of digits), `differs_from_cpu` (by precision: the relative difference of the first
  epoch's loss), `images_per_second` (ResNet-18 on 32×32), `batch_size` (recommended for ResNet-18),
  `batch_size_that_fits` (measured, on CUDA), `kernels` (on CUDA: whether our own work), `gradient_error` (on the CPU,
  relative to float64).
- `versions`: of `sweeper`, `python`, `system` and the libraries.
- `machine`: `cores`, `memory_bytes`, `memory_available_bytes`.
- `outputs`: `path`, `error`, `free_bytes`, `write_bytes_per_second`, `grid_bytes`, `grid_with_weights_bytes`,
  `checkpoints_bytes`.
- `datasets`, a list: `name`, `present`, `megabytes` (of the download), `command` (that downloads it).
- `extras`, a list: `name`, `present`, `purpose`, `command`.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeper.doctor import facts as checkup
from sweeper.system.command import Parser, exit_code_of
from sweeper.system.errors import BadInput
from sweeper.system.machine import DEVICE_KINDS, cores, probe_kind
from sweeper.system.terminal import say, tell

PATIENCE = 90.0  # seconds until a device of an idle machine counts as hung; a GPU's first kernels take half a minute
AGREES = {"fp32": 1e-3, "bf16": 2e-2, "fp16": 2e-2}  # largest relative difference of the first loss to the CPU in fp32
GRADIENTS_AGREE = 1e-3  # largest relative difference to float64; correct gradients differ by some 1e-6
FALLS = 0.9  # the largest ratio of the last epoch's loss to the first one's
MEND = "https://pytorch.org/get-started/locally/ names the torch for it; device=cpu trains meanwhile"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0, 1 when training doesn't work here, 2 for bad input."""

    def command() -> int:
        parser = Parser(
            "doctor",
            "What this machine offers: versions, devices with a short real training on each, speed, memory, the "
            "outputs folder, data sets, what is missing and the command that mends it. Takes about half a minute. "
            "Exit code 1 when training doesn't work.",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document, for programs")
        arguments = parser.parse_args(argv)
        # A folder may be missing, but an argument with "=" is an override for sweeper.train.
        if others := [name for name in arguments.outputs if "=" in name and not Path(name).exists()]:
            raise BadInput(f"{' '.join(others)}: the doctor takes an outputs folder alone; see {parser.prog} --help")
        kinds = [name for name in arguments.outputs if name in ("gpu", *DEVICE_KINDS) and not Path(name).exists()]
        if kinds:
            raise BadInput(f"{kinds[0]}: every device is tested; leave it out, or name an outputs folder ./{kinds[0]}")
        if len(arguments.outputs) > 1:
            raise BadInput(f"{' '.join(arguments.outputs)}: one outputs folder at a time")
        (outputs,) = arguments.outputs
        document = examine(Path(outputs))
        if arguments.json:
            say(json.dumps(document, indent=1))
        else:
            from sweeper.doctor.table import print_document

            print_document(document)
        return int(not document["works"])

    return exit_code_of(command)


def examine(outputs: Path) -> dict[str, Any]:
    """Check everything; returns the document that the module describes."""
    found = checkup.find(outputs)
    folder = found["outputs"]
    devices = examine_devices(found["machine"]["memory_bytes"])
    problems = [f"{device['kind'].upper()}: {device['why']}" for device in devices if device["works"] is False]
    problems += [f"{folder['path']}: {folder['error']}"] if folder["error"] else []
    return {"works": not problems, "problems": problems, "devices": devices, **found}


def examine_devices(memory_bytes: int) -> list[dict[str, Any]]:
    """Each kind of device, the best first; `works` is None if it isn't present."""
    seen = ask("look")
    cpu = _judge("cpu", ask("cpu"), None, memory_bytes)
    others = []
    for kind in ("cuda", "mps"):
        if "error" in seen:
            others.append({**_absent(kind, seen["error"]), "works": False})
        elif seen[kind] is None:
            others.append(_judge(kind, ask(kind), cpu, memory_bytes))
        elif kind == probe_kind():
            why = f"this machine has one, but {seen[kind]}; {MEND}"
            others.append({**_absent(kind, why), "present": True, "works": False})
        else:
            others.append(_absent(kind, seen[kind]))
    return [*others, cpu]


def ask(what: str) -> dict[str, Any]:
    """The answer of `sweeper.doctor.device_test` in a separate process; `error` if there is none."""
    tell("looking for devices" if what == "look" else f"training on {what.upper()}")
    command = [sys.executable, "-m", "sweeper.doctor.device_test", what]
    patience = PATIENCE * max(1.0, os.getloadavg()[0] / cores())  # other work takes its share of the cores
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        mend = "try it with less other work" if what == "cpu" else "is its driver all right, is it used by others?"
        return {"error": f"no answer within {patience:.0f} s; {mend}"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return {"error": f"the process ended with code {done.returncode}: {said}"}
    return answer


def _absent(kind: str, why: str | None) -> dict[str, Any]:
    names = ("name", "precision", "losses", "differs_from_cpu", "images_per_second")
    nothing = dict.fromkeys([*names, "batch_size", "batch_size_that_fits", "kernels", "gradient_error"])
    return {"kind": kind, "present": False, "works": None, "why": why, **nothing}


def _judge(kind: str, answer: dict[str, Any], cpu: dict[str, Any] | None, memory_bytes: int) -> dict[str, Any]:
    """A device's answer and whether it works, that is whether the losses decrease and agree with the CPU's."""
    if "error" in answer:
        why = answer["error"] + ("" if kind == "cpu" else "; device=cpu trains meanwhile")
        return {**_absent(kind, why), "present": True, "works": False}
    losses = answer["losses"]
    right = cpu["losses"]["fp32"][0] if cpu is not None and cpu["works"] else None
    differs = {
        precision: abs(values[0] - right) / right
        for precision, values in losses.items()
        if right is not None and values and math.isfinite(values[0])
    }
    wrong = [f"{precision}: {_fault(values)}" for precision, values in losses.items() if _fault(values)]
    wrong += [
        f"{precision}: the loss differs by {100 * by:.2g} % from the CPU's"
        for precision, by in differs.items()
        if by > AGREES[precision]
    ]
    error = answer["gradient_error"]
    if error is not None and error > GRADIENTS_AGREE:
        how = f"differ by {100 * error:.2g} % from those in float64" if math.isfinite(error) else "aren't finite"
        wrong.append(f"gradients of convolutions {how}; install another version of torch")
    fits = answer["batch_size_that_fits"]
    advice = checkup.batch_size_for(memory_bytes) if fits is None else min(256, 2 ** int(math.log2(max(1, fits))))
    return {
        **_absent(kind, "; ".join(wrong) or None),
        **answer,
        "gradient_error": error if error is None or math.isfinite(error) else None,
        "losses": {
            precision: [v if math.isfinite(v) else None for v in values] for precision, values in losses.items()
        },
        "present": True,
        "works": not wrong,
        "differs_from_cpu": differs or None,
        "batch_size": advice,
    }


def _fault(losses: list[float]) -> str | None:
    if not losses or not all(map(math.isfinite, losses)):
        return "the loss is no finite number"
    return None if losses[-1] <= FALLS * losses[0] else f"the loss doesn't fall ({losses[0]:.3f} to {losses[-1]:.3f})"
