"""A documented command made small: an epoch, a hundred images, and a made tree of images where it names CIFAR's."""

import re
import shlex

from conftest import REPOSITORY, merged

BRIEF = ("device=cpu", "device.threads=1", "epochs=1")
FEW = ("dataset.train_limit=100",)
IMAGES = ("dataset.root=images", "model.width=4")  # four channels for the network's 64
SWEEP = "python -m sweeper.train -m experiment=grid dataset=mnist1d"  # the recipe of `make sweep`
OTHER_DATA = r"\bdataset=(?!cifar)"
PROBE = ("--probe-seconds", "1")
BENCHMARKS = {
    "answer": ("--trained", "2", "--runs", "15"),
    "peers": ("--rounds", "1", "--dataset", "digits", "--only", "plain,sweeper", "--epochs", "2"),
    "scaling": ("--device", "cpu", "--epochs", "3", "--runs", "2", "--lanes", "1", "--batch-sizes", "128"),
    "textbook": ("--root", "images", "--device", "cpu", "--precision", "fp32", "--limit", "20", "--epochs", "1"),
    "waiting": ("--rounds", "1", "--only", "digits, mlp", "--into", "."),
}
# Overrides. Images are made by the benchmark or, where the command names no folder, by the loader below.
MADE = ("dataset.train_limit=20", "dataset.test_limit=20")
LOADER = ("dataset.loader=benchmarks.made.cifar10_shapes", *MADE)
TEN_BATCHES = (*BRIEF[:2], *MADE, "batch_size=2")
PLACES = {  # `field` has runs on these images, `search` a search
    "against=study": "against=field",
    "verify DIR": "verify field dataset.root=images",
    "choose --into": "choose search --into",
    "--beside FOLDER": f"--beside {shlex.quote(str(REPOSITORY))}",
    "dataset.root=FOLDER": IMAGES[0],
}
ON_A_CLUSTER = re.compile(r"hydra/launcher=(ray|slurm)")


def made_small(command: str, in_process: bool = False) -> list[str]:
    """The words after `python -m`; with `in_process` all that trains does so in the command's own process."""
    command = SWEEP if command == "make sweep" else command
    for place, given in PLACES.items():
        command = command.replace(place, given)
    _, _, module, *words = shlex.split(command)
    room, _, name = module.partition(".")
    if room == "benchmarks":
        return [module, *_small_benchmark(name, words)]
    if name == "verify":
        return [module, *(_with_options(words, ("--sample", "1")) if "--sample" in words else words)]
    if name not in ("train", "tune", "decide", "plan") or "--cfg" in words:
        return [module, *words]
    if "against=" in command:
        return [module, *merged(*words, *BRIEF[:2], *IMAGES[:1])]
    added = (*BRIEF, *(FEW if re.search(OTHER_DATA, command) else IMAGES))
    words = [re.sub(r"^(dataset\.\w+_limit)=.*", r"\1=20", word) for word in words]
    if name == "plan":
        added += ("optimizer=sgd", "seed=1") * in_process  # one run, so one process times it
        return [module, *merged(*_with_options(words, PROBE), *added)]
    if name == "decide" and "--most-seeds" not in words:
        words += ["--most-seeds", "3"]
    if ON_A_CLUSTER.search(command):
        added += ("optimizer=sgd", "seed=1,2")
    else:
        added += ("hydra/launcher=basic",) * in_process
        if "experiment=tune" in words or name == "tune":
            added += ("hydra.sweeper.extensions=0",)
        elif "experiment=search" in words:
            added += ("hydra.sweeper.trials=2",)
    if "dataset=folder" in words and not any(word.startswith("model=") for word in words):
        added += IMAGES[1:]  # its default model too is the network of CIFAR's
    return [module, *merged(*words, *added)]


def _small_benchmark(name: str, words: list[str]) -> list[str]:
    if name == "step":
        has_width = not any(word.startswith("model._target_=") for word in words)
        return merged(*words, *TEN_BATCHES, *IMAGES[1:] * has_width)
    if name == "reproduce":
        own = () if IMAGES[0] in words else LOADER
        return merged(*words, *BRIEF, *own, IMAGES[1], "seed=1,2", "hydra/launcher=basic")
    if name == "host":
        idle = "--idle" in words
        return [*_with_options(words, ("--rounds", "1") if idle else ("--only", "digits mlp")), *BRIEF[:1] * (not idle)]
    return _with_options(words, BENCHMARKS[name])


def sbatch_made_small(command: str) -> list[str]:
    """Two jobs and two runs; their folder is to be given by `--chdir`, their Python by `--export`."""
    sbatch, *words = shlex.split(command)
    script = words.index("docs/slurm.sh")
    runs = merged(*words[script + 1 :], *BRIEF, *FEW, "optimizer=sgd", "seed=1,2")
    return [sbatch, "--array=1-2", *words[:script], str(REPOSITORY / words[script]), *runs]


def replaced(command: str, in_process: bool) -> list[str]:
    """The words that the small form has and the command lacks; of a command that has no such form none."""
    if not re.match("make sweep|python -m ", command):
        return []
    return [word for word in made_small(command, in_process) if word not in shlex.split(command)]


def _with_options(words: list[str], options: tuple[str, ...]) -> list[str]:
    words = list(words)
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return words
