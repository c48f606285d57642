"""`python -m sweeper.tune …`: tune each optimizer, confirm the best with fresh seeds, and compare what was chosen.

Each step is `sweeper.train` or `sweeper.choose` as a user would call them, and is read from disk when it is done.
"""

import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sweeper.system.child import run, run_and_read, run_steps, tell_stopped
from sweeper.system.command import MAKE_ROOM, called, exit_code_of, given_folder, is_about_itself, split_own, writing
from sweeper.system.errors import BadInput, like_flag
from sweeper.system.terminal import say, tell
from sweeper.system.text import counted
from sweeper.tune.document import Told, answer_in_json

if TYPE_CHECKING:
    from sweeper.aggregate.tuning import Tuning
    from sweeper.tune.steps import Options, Steps

HELP = """\
usage: {name} [options] [overrides of sweeper.train]

Tunes each optimizer, then compares what was chosen: {name} dataset=digits optimizer=sgd,lion epochs=20
  1. search: experiment=tune, a grid around each optimizer's usual values, extended while its best lies on the edge
  2. confirmation: each optimizer's best settings again with fresh seeds; these runs' validation accuracy chooses
  3. comparison: the chosen settings on all training images, with seeds that neither search nor confirmation had
Overrides, such as hydra/launcher=packed or device=cpu, are for all steps. The same command goes on where it stopped.

  --confirm N       how many settings of each optimizer are run again (default: 2)
  --seeds N         how many seeds the comparison has (default: 5)
  --write DIR       write the choice as a preset into DIR (default: beside the search)
  --name NAME       the preset's name (default: tuned)
  --replace         with --write: overwrite another choice of this name
  --config-dir DIR  a folder with YAML of your own choices
  --plan            say what would be trained and how long it takes, and train nothing
  --json            print one JSON document, for programs; all else goes to standard error
  --version         print sweeper's version

Search and confirmation lie beside the outputs, by default in outputs-tuning/, so no table of the comparison has them.
Exit codes: 0, or that of the step that failed: 1 if a run failed, 2 for bad input, 130 by Ctrl-C.
"""
MOST_CONFIRMED, MOST_SEEDS = 100, 1000
_JSON, _PLAN, _REPLACE = "--json", "--plan", "--replace"
_OWN = ("--confirm", "--seeds", "--write", "--name")
_FLAGS = (_PLAN, _REPLACE, _JSON)
_TRAINS_OWN = ("--hydra-help", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code, see `--help`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if _JSON in arguments and not {"--help", "-h", "--version"} & set(arguments):
        words = [word for word in arguments if word != _JSON]
        return answer_in_json(lambda found: run_steps(partial(_tune, words, found, in_json=True)))
    return exit_code_of(lambda: run_steps(partial(_tune, arguments, Told())))


def _tune(arguments: list[str], found: Told, in_json: bool = False) -> int:
    if is_about_itself(arguments, HELP.replace("{name}", called("tune"))):
        return 0
    from sweeper.datasets.here import ImagesHere
    from sweeper.tune.search import carry_out_search
    from sweeper.tune.steps import check_comparison, check_places, plan_steps
    from sweeper.tune.time_needed import tell_time

    options, words = _read(arguments)
    steps = plan_steps(words, options)
    found.outputs, found.tuning, found.runs = str(steps.outputs), str(steps.folder), steps.runs()
    say("\n".join(steps.describe()))
    if _PLAN in arguments:
        return tell_time(steps, found)
    check_places(steps)
    own, here = steps.places.config_dir, ImagesHere()
    folder = None if own is None else str(own)
    if code := carry_out_search(steps.search, steps.placing, options.confirm, folder, steps.optimizers, here=here):
        return _stopped("the tuning", code)
    tunings, images = _choose(steps, found)
    for one in tunings:
        say(_describe(one))
    check_comparison(steps, images, here)
    if code := _compare(steps, found, in_json):
        return _stopped("the comparison", code)
    check_comparison(steps, images, here)  # by its runs' records: the images may have changed while it trained
    say(_summary(tunings, steps))
    return 0


def _choose(steps: "Steps", found: Told) -> tuple[list["Tuning"], str]:
    """Write the choice and its preset. Returns what was chosen, and the hash of the images on which."""
    from sweeper.aggregate.tuning import edge_words, tunings
    from sweeper.choose.choice import read_search, write_choice

    (task, asides), options, places = read_search([str(steps.folder)], steps.optimizers), steps.options, steps.places
    for line in asides:
        tell(line)
    beside = options.write is None  # beside the search there is no other's preset
    with writing(steps.folder, MAKE_ROOM):
        write_choice(task, steps.folder, places, options.name, options.replace or beside, keep=beside)
    found.preset = {"folder": str(places.folder), "name": options.name}
    chosen = tunings(task)
    found.tuned = [
        {"optimizer": one.optimizer, "values": one.chosen.values, "trials": _trials(one), "epochs": one.epochs}
        | {"edge": edge_words(one) if one.edges else None}
        for one in chosen
    ]
    return chosen, task.images()


def _compare(steps: "Steps", found: Told, in_json: bool) -> int:
    command = [sys.executable, "-m", "sweeper.train", *steps.comparison]
    if not in_json:
        return run(command, stdout=None)
    code, document = run_and_read([*command, _JSON])
    with contextlib.suppress(ValueError):  # it was killed
        found.comparison = json.loads(document)
    return code


def _describe(one: "Tuning") -> str:
    """What was chosen of an optimizer, after how many trials."""
    from sweeper.aggregate.tuning import budget_words, chosen_words, confirmed_words, edge_words

    again = f"; {confirmed_words(one)}" if one.confirmed else ""
    return f"{one.optimizer}: tuned to {chosen_words(one)}; {budget_words(one)}{again}; {edge_words(one)}"


def _summary(tunings: Sequence["Tuning"], steps: "Steps") -> str:
    """The last line: who chose, and after how many trials."""
    from sweeper.aggregate.tuning import edge_words
    from sweeper.runs.layout import PAGE_FILE

    counts = [
        f"{one.optimizer} after {counted(_trials(one), 'trial')}" + (f" ({edge_words(one)})" if one.edges else "")
        for one in tunings
    ]
    said = f"settings chosen by validation images alone: {', '.join(counts)}"
    return f"{said}; the tuning's page: {steps.folder / PAGE_FILE}"


def _trials(one: "Tuning") -> int:
    return len(one.trials) + one.still_open


def _stopped(step: str, code: int) -> int:
    tell_stopped(step, code, "nothing after it was begun")
    return code


def _read(arguments: list[str]) -> tuple["Options", list[str]]:
    """The command's own options and the words of sweeper.train."""
    from sweeper.config.widening import COMPARED
    from sweeper.tune.search import BEST
    from sweeper.tune.steps import NAME, Options

    own, words = split_own(arguments, _OWN, "tune")
    for word in words:
        flag, see = word.partition("=")[0], f"see {called('tune')} --help"
        if flag in _TRAINS_OWN:
            raise BadInput(f"{flag}: is for {called('train')}; {see}")
        if flag.startswith("--") and word not in _FLAGS and (meant := like_flag(flag, _FLAGS)):
            raise BadInput(f"unrecognized arguments: {word} (did you mean {meant}?); {see}")
    if nothing := [name for name, value in own.items() if not value]:
        raise BadInput(f"{nothing[0]}: nothing is given; give a value, or leave it out")
    replace = _REPLACE in words
    if replace and "--write" not in own:
        raise BadInput(f"{_REPLACE}: is of the preset that --write DIR writes; add --write DIR or leave it out")
    confirm = _integer(own, "--confirm", 2, MOST_CONFIRMED, BEST)
    seeds = _integer(own, "--seeds", 1, MOST_SEEDS, COMPARED)
    write = given_folder(own["--write"]) if "--write" in own else None
    left = [word for word in words if word not in ("-m", "--multirun", _PLAN, _REPLACE)]
    return Options(confirm, seeds, write, own.get("--name", NAME), replace), left


def _integer(own: dict[str, str], option: str, least: int, most: int, default: int) -> int:
    if (text := own.get(option)) is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise BadInput(f"{option} {shlex.quote(text)}: must be an integer from {least} to {most}")
    return int(text)
