"""`python -m sweeper.verify DIR [--sample N]`: what holds of a folder of runs, and what doesn't.

Without a sample nothing is trained, and no code that a record names is called. `--json` prints one document;
docs/schemas/verify.json is its schema.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeper.system.command import Parser, check_current_folder, exit_code_of, given_folder
from sweeper.system.errors import BadInput
from sweeper.system.module_path import look_there_last
from sweeper.system.paths import given_path
from sweeper.system.temporary_folder import temporary_folder
from sweeper.system.terminal import say
from sweeper.system.text import counted

_HERE = re.compile(r"(device(\.\w+)?|dataset\.(root|workers))=.*", re.DOTALL)  # what isn't part of a run's identity


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 when all holds, 1 when something doesn't, 2 for bad input."""
    return exit_code_of(lambda: _verify(list(sys.argv[1:] if argv is None else argv)))


def _verify(arguments: list[str]) -> int:
    here = [word for word in arguments if _HERE.fullmatch(word)]
    parser = _parser()
    given = parser.parse_args([word for word in arguments if word not in here])
    if others := [word for word in given.outputs if "=" in word and not Path(word).exists()]:
        raise BadInput(f"{others[0]}: only device and dataset.root are set here; see {parser.prog} --help")
    if len(here) > 1:
        from sweeper.config.overrides import check_repeated, parse_overrides

        check_repeated(parse_overrides(here))
    if (given.into or given.key) and not given.sample:
        raise BadInput(f"--{'into' if given.into else 'key'}: is for the runs of --sample N; give N, e.g. --sample 3")
    if given.into and "${" in str(Path(given.into).absolute()):  # as of any folder that runs are trained into
        raise BadInput(f"--into {given.into}: Hydra would replace the ${{…}} in its path; choose another folder")
    for folder in given.outputs:
        if given.into and _shared(given.into, folder):
            raise BadInput(f"--into {given.into}: shares its place with {folder}; give a folder of its own, e.g. again")
    check_current_folder()
    from sweeper.verify.checks import check
    from sweeper.verify.finding import lines
    from sweeper.verify.folder import read_folder

    runs, results = read_folder(given.outputs)
    root = next((word.removeprefix("dataset.root=") for word in here if word.startswith("dataset.root=")), None)
    root = None if root is None else str(given_path(root, "dataset.root="))
    findings = check(runs, results, given.outputs, root)
    document: dict[str, Any] = {"holds": True, "runs": len(runs), "findings": [asdict(one) for one in findings]}
    if not given.json:
        say("\n".join(lines(findings)))
    problems = sum(one.problem for one in findings)
    document["sample"] = None
    if given.sample:
        from sweeper.verify.repeat import repeat

        with _folder(given.into) as (into, kept):
            if given.config_dir:
                look_there_last()  # only here: a stranger's folder may be the working folder
                here += ["--config-dir", given.config_dir]
            tell = (lambda text: None) if given.json else say
            code, sample = repeat(runs, given.sample, into, given.key, kept, here, tell)
        if code:
            return code
        document["sample"] = sample
        problems += sum(one["verdict"] != "agrees" for one in sample["runs"])
    document["holds"] = not problems
    if given.json:
        say(json.dumps(document, indent=1, allow_nan=False))
    else:
        held = counted(problems, "problem") if problems else "all holds"
        say(f"{counted(len(runs), 'run')}: {held}")
    return int(bool(problems))


def _shared(into: str, folder: str) -> bool:
    """Whether one of the folders lies in the other."""
    one, other = Path(into).resolve(), Path(folder).resolve()
    return one.is_relative_to(other) or other.is_relative_to(one)


@contextmanager
def _folder(into: str | None) -> Iterator[tuple[Path, bool]]:
    """Where the sample is trained, and whether it is kept."""
    if into is not None:
        yield Path(into), True
        return
    with temporary_folder("sweeper-verify-") as folder:
        yield folder, False


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 10_000:
        raise BadInput(f"--sample {text}: must be a number of runs, e.g. --sample 3")
    return int(text)


def _parser() -> Parser:
    parser = Parser(
        "verify",
        "Check a folder of runs by others: each record's schema and name, metrics against record, one content of each "
        "data set, one code without uncommitted changes, settings chosen by validation images with other seeds than "
        "the comparison's, no run twice. Nothing is trained without --sample. Exit code 1 when something doesn't hold.",
    )
    parser.add_argument(
        "--sample", metavar="N", type=_count, default=0, help="train N runs again, drawn at random (default: 0)"
    )
    parser.add_argument("--key", metavar="KEY", help="of the draw, to repeat it (default: a random one, printed)")
    into = "where the sample is trained; the same command goes on (default: a temporary folder)"
    parser.add_argument("--into", metavar="DIR", type=given_folder, help=into)
    own = "a folder with YAML of the runs' own choices, whose code may lie in the working folder"
    parser.add_argument("--config-dir", metavar="DIR", type=given_folder, help=own)
    parser.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    parser.epilog = "device=KIND, device.threads=N and dataset.root=DIR say what this machine has."
    return parser
