"""What to type here instead of what other programs take, such as `lr=0.1`, `--optimizer adam` and `seed=1-3`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from sweeper.config.schema import TEXTS, Config
from sweeper.config.spelling import groups_with, is_number, meant, split_values
from sweeper.system.errors import close_matches, squeezed

# Other programs' names for our options, without case and separators.
NAMES = {
    "lr": "optimizer.lr",
    "learningrate": "optimizer.lr",
    "wd": "optimizer.weight_decay",
    "l2": "optimizer.weight_decay",
    "weightdecay": "optimizer.weight_decay",
    "momentum": "optimizer.momentum",
    "betas": "optimizer.betas",
    "eps": "optimizer.eps",
    "nesterov": "optimizer.nesterov",
    "numepochs": "epochs",
    "maxepochs": "epochs",
    "bs": "batch_size",
    "seeds": "seed",
    "scheduler": "schedule",
    "lrscheduler": "schedule",
    "arch": "model",
    "noiserate": "noise.rate",
    "numworkers": "dataset.workers",
    "datadir": "dataset.root",
    "outputdir": "outputs",
    "launcher": "hydra/launcher",
    "njobs": "hydra.launcher.n_jobs",
    "partition": "hydra.launcher.partition",
    "lanes": "hydra.launcher.lanes",
    "opt": "optimizer",
    "optim": "optimizer",
    "optimiser": "optimizer",
    "net": "model",
    "network": "model",
    "data": "dataset",
    "dataroot": "dataset.root",
    "workers": "dataset.workers",
    "imgsize": "dataset.image_size",
    "valsplit": "dataset.validation_fraction",
    "labelnoise": "noise",
    "out": "outputs",
    "output": "outputs",
    "outdir": "outputs",
    "savedir": "outputs",
    "logdir": "outputs",
    "clip": "clip_grad_norm",
    "gradclip": "clip_grad_norm",
}
_WHOLE = "no run ends early; its length is epochs=N, and the page has each run's best epoch"
# What other programs have and this one does otherwise.
_OTHERWISE = {
    "resume": "a run goes on by itself; give the same command again",
    "patience": _WHOLE,
    "earlystopping": _WHOLE,
    "amp": "the device chooses the precision, or device.precision=bf16, fp16 or fp32",
    "mixedprecision": "the device chooses the precision, or device.precision=bf16, fp16 or fp32",
    "gpus": "a run trains on one device; -m hydra/launcher=packed trains a sweep's runs on all GPUs",
    "ngpus": "a run trains on one device; -m hydra/launcher=packed trains a sweep's runs on all GPUs",
}
# The groups whose options are often typed without the group, the most usual first.
_GROUPS = ("optimizer.", "dataset.", "device.", "noise.", "schedule.", "model.")
_ALIKE = 0.8


def option(key: str, known: Iterable[str]) -> str | None:
    """The option that an unknown name without a dot means, by `NAMES` or as one of a group's; None if it is neither.

    It may be one that this optimizer lacks, as SGD does `betas`.

    >>> option("learning_rate", ["optimizer.lr", "seed"]), option("weigth_decay", ["optimizer.weight_decay"])
    ('optimizer.lr', 'optimizer.weight_decay')
    >>> option("sede", ["optimizer.lr", "seed"])
    """
    if (named := NAMES.get(squeezed(key))) is not None:
        return named
    known = list(known)
    plain = {name: name for name in known if "." not in name}
    inner = {
        name.removeprefix(group): name
        for group in reversed(_GROUPS)
        for name in known
        if name.startswith(group) and name.count(".") == 1 and not name.startswith((f"{group}_", f"{group}name"))
    }
    close = close_matches(key.lower(), inner | plain, _ALIKE)
    return inner.get(close[0]) if close and close[0] not in plain else None


def otherwise(name: str) -> str | None:
    """How this program does what an option of other programs is for; None for any other name.

    >>> otherwise("--early-stopping")
    "no run ends early; its length is epochs=N, and the page has each run's best epoch"
    """
    return _OTHERWISE.get(squeezed(name))


def without_dashes(words: list[str]) -> tuple[str, str] | None:
    """The first option that is written as a flag, as it was typed, and as an override; None if no word is one.

    >>> without_dashes(["--optimizer", "adam"]), without_dashes(["--lr=0.1"]), without_dashes(["--multirun"])
    (('--optimizer adam', 'optimizer=adam'), ('--lr=0.1', 'optimizer.lr=0.1'), None)
    """
    for k, word in enumerate(words):
        flag, given, value = word.partition("=")
        name = known_option(flag.lstrip("-").replace("-", "_")) if flag[:1] == "-" and len(flag) > 2 else None
        if name is None:
            continue
        following = [value] if given else list(_values(words[k + 1 :]))
        typed = " ".join([word, *([] if given else following)])
        return typed, meant(name, split_values(",".join(following)) or ["VALUE"])
    return None


def without_spaces(words: Sequence[str], k: int) -> tuple[str, str] | None:
    """An option that spaces have parted, of which word number `k` is a piece: as it was typed, and in one word.

    None if there is no such option, or nothing of it follows.

    >>> without_spaces(["optimizer=adam,", "sgd", "epochs=3"], 0)
    ('optimizer=adam, sgd', '-m optimizer=adam,sgd')
    >>> without_spaces(["optimizer=adam", ",", "sgd"], 1), without_spaces(["epochs", "10"], 0)
    (('optimizer=adam , sgd', '-m optimizer=adam,sgd'), ('epochs 10', 'epochs=10'))
    """
    start = next((n for n in range(k, -1, -1) if _begins(words[n])), None)
    if start is None:
        return None
    name, given, text = words[start].partition("=")
    end = start + 1
    for word in words[end:]:
        begins_value = not given and word.startswith("=")
        if not begins_value and not _goes_on(name, text, word):
            break
        given, piece = "=", word.removeprefix("=") if begins_value else word
        meets = not text or piece.startswith(",") or text.endswith((",", "[", "("))
        text += piece if meets else f" {piece}" if name in TEXTS else f",{piece}"
        end += 1
    if (option := known_option(name)) is None or end == start + 1 or not (values := split_values(text)):
        return None
    return " ".join(words[start:end]), meant(option, values)


def _begins(word: str) -> bool:
    """Whether an option begins with this word."""
    return "=" in word[1:] or known_option(word) is not None


def _goes_on(name: str, text: str, word: str) -> bool:
    """Whether a word goes on with an option's value, of which `text` is the beginning."""
    if sum(map(text.count, "[(")) > sum(map(text.count, "])")):
        return "=" not in word
    if "=" in word or known_option(word) is not None:
        return False
    if not text.strip() or text.endswith(",") or word.startswith(","):
        return re.fullmatch(r"[\w.,+/\[\]()-]+", word) is not None
    known = groups_with(word)
    if name in TEXTS:
        return not known and word.isprintable()
    last = split_values(text)[-1]
    return name in known or (is_number(last) and all(map(is_number, split_values(word) or [word])))


def known_option(name: str) -> str | None:
    """The option of this name, ours or another program's."""
    if (other := NAMES.get(squeezed(name))) is not None:
        return other
    ours = [*(field.name for field in fields(Config)), "experiment"]
    return name if name.partition(".")[0] in ours else None


def _values(words: list[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-") or "=" in word:
            return
        yield word
