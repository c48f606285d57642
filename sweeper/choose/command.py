"""The command `sweeper choose`: its options, and the confirmation before the choice."""

import os
from collections.abc import Sequence

from sweeper.runs.layout import CHOSEN_FILE, SEARCH_FILE, TUNING_FILE
from sweeper.system.child import run_steps, tell_stopped
from sweeper.system.command import Parser, exit_code_of, given_folder
from sweeper.system.errors import BadInput
from sweeper.system.module_path import look_there_last
from sweeper.system.terminal import say


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 when a choice was made, 1 if a run of the confirmation failed or its
    tables couldn't be written, 2 for bad input, 130 by Ctrl-C.

    A confirmation that isn't whole chooses nothing: with its other runs it may choose another.
    """

    def command() -> int:
        given = _parser().parse_intermixed_args(argv)  # folders and overrides anywhere among the options
        from sweeper.choose.choice import check_preset, choose
        from sweeper.config.search_path import search_in

        outputs = [given_folder(word) for word in given.outputs if not _is_override(word)] or ["outputs"]
        overrides = [word for word in given.outputs if _is_override(word)]
        if overrides and given.confirm is None:
            raise BadInput(f"{overrides[0]}: overrides are for the runs of --confirm N")
        if given.config_dir and given.confirm is None and given.write is None:
            raise BadInput(f"--config-dir {given.config_dir}: is for --confirm N and --write DIR; leave it out")
        if given.config_dir:
            search_in(given.config_dir)  # refuses what is no folder
        for option, value in (("--name", given.name), ("--replace", given.replace or None)):
            if value is not None and given.write is None:
                raise BadInput(f"{option}: is of the preset that --write DIR writes; add --write DIR or leave it out")
        name = "tuned" if given.name is None else given.name
        code = 0
        if given.confirm is not None:
            from sweeper.choose.confirm import confirm, is_whole

            if given.write is not None:
                check_preset(outputs, given.write, name, given.replace, given.config_dir)
            if given.config_dir:
                look_there_last()  # only here: a stranger's folder may be the working folder
            code = confirm(outputs, given.confirm, overrides, given.config_dir)
            if code > 1 or (code and not is_whole(outputs)):  # else tables couldn't be written, which is told
                tell_stopped("the confirmation", code, "nothing is chosen")
                return code
        say(choose(outputs, given.into, given.write, name, given.replace, given.config_dir), end="")
        return code

    return exit_code_of(lambda: run_steps(command))


def _is_override(word: str) -> bool:
    return "=" in word and not word.startswith("outputs=") and not os.path.exists(word)


def _parser() -> Parser:
    parser = Parser(
        "choose",
        "Of a search, as by experiment=tune or experiment=search, choose each optimizer's setting of highest final "
        f"validation accuracy. Writes {SEARCH_FILE}, every trial, {TUNING_FILE}, what fewer trials would give, and "
        f"{CHOSEN_FILE}, which it prints too.",
        plain=True,
    )
    confirm = "first run each optimizer's N best settings again with two other seeds, which alone choose among them; "
    confirm += "overrides such as hydra/launcher=joblib go to sweeper.train"
    parser.add_argument("--confirm", metavar="N", type=int, help=confirm)
    own = "a folder with YAML of the search's own choices, whose code may lie in the working folder, for --confirm; "
    own += "--write reads its optimizers, and sees the names that are taken there"
    parser.add_argument("--config-dir", metavar="DIR", type=given_folder, help=own)
    parser.add_argument(
        "--into", metavar="DIR", type=given_folder, help="where the files go (default: the first folder)"
    )
    preset = "also write the values as a preset into DIR, for --config-dir DIR experiment=NAME"
    parser.add_argument("--write", metavar="DIR", type=given_folder, help=preset)
    parser.add_argument("--name", help="the preset's (default: tuned)")
    parser.add_argument("--replace", action="store_true", help="another choice that --write finds under this name")
    return parser
