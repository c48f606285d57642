"""The shell commands of the READMEs and of docs/, and what tests do with each; as a program it lists them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
README, TUTORIAL = REPOSITORY / "README.md", DOCS / "tutorial.md"
PAGES = [README, REPOSITORY / "README.zh-CN.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# Their commands are carried out in an empty folder, one after another, but for those that need more or take long.
CARRIED_OUT = [README, TUTORIAL, DOCS / "decide.md", DOCS / "join.md", *sorted(DOCS.glob("how-to/*.md"))]
NEED_MORE = r"against=|dataset\.root=images|dataset=hub|sweeper\.(doctor|plan)|\b(FOLDER|DIR)\b"
# What is done with a command that no page's test carries out: the first pattern that is found in it.
ELSEWHERE = {
    r"^eval|^sweeper --help|train --help": "tests/project/test_commands.py",
    r"docs/study/runs --into docs/study": "tests/project/test_study.py",
}
LEFT_OUT = {
    r"^git |^uv|^hf ": "downloads what isn't here",
    r"^docker ": "needs a daemon: tests/project/test_image.py builds and runs the image",
    r"venv|activate": "make pythons does it for each Python",
    r"-c .*_human": "needs CIFAR-10N's file",
    r"against=outputs": "needs the runs of the command before it: tests/decide",
    r"sbatch --test-only": "needs a cluster: tests/clusters/test_on_slurm.py",
}
PARSED = {
    r"^pip ": "downloads; the extra is one of the package's",
    r"^make ": "calls the tests, or what other tests call; it is a target of the Makefile",
    r"sbatch|launcher=slurm": "needs a cluster: tests/clusters/test_on_slurm.py",
    r"launcher=ray": "needs a cluster: tests/clusters/test_on_ray.py",
    r"launcher=packed|benchmarks\.(step|batch_norm|tilings|host|newton_schulz|scaling)": "needs an NVIDIA GPU",
    r"benchmarks\.": "takes minutes to hours",
    r"python docs/": "tests/project hold what it makes against what is committed",
    r"dataset=hub": "downloads what isn't here",
    r"against=study|cifar|dataset\.root=|docs/study|tag=alone|robustness": "needs CIFAR's images, or hours",
    r"sweeper\.(doctor|plan)": "measures for half a minute: tests/doctor, tests/plan",
    r"sweeper\.": "only parsed, for the time; the tests of other pages carry out the like",
}

_PROGRAM = r"(?:python3? |sweeper |pip |make |git |find |sbatch |hf |uvx? |docker |eval |\. \.venv)"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(rf"^    ({_PROGRAM}(?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE)
_SPAN = re.compile(rf"`({_PROGRAM}[^`\n]+)`")
_PLACEHOLDERS = {"N": "2", "POINTS": "0.5", "KEY": "k"}


def read_commands(page: Path) -> list[str]:
    """The commands of a page's blocks and spans, each once, in the page's order: in one line, without comments,
    `sweeper train` as `python -m sweeper.train`, and with all words that it shows as optional."""
    text = _FENCE.sub(_shell_indented, page.read_text(encoding="utf-8"))
    found = [(match.start(), match[1]) for form in (_LINE, _SPAN) for match in form.finditer(text)]
    return list(dict.fromkeys(command for _, text in sorted(found) for command in _whole(text)))


def is_carried_out(page: Path, command: str) -> bool:
    """Whether the test of the page carries it out. Of README only sweeps that the tutorial lacks, for the time."""
    if page == README and (not command.startswith("python -m sweeper.train ") or command in read_commands(TUTORIAL)):
        return False
    trains_or_reads = re.match(r"python -m sweeper\.\w+ [^-]|python -m sweeper\.\w+ -[^h]|find ", command)
    return page in CARRIED_OUT and trains_or_reads is not None and not re.search(NEED_MORE, command)


def module_of(command: str) -> tuple[str, list[str]]:
    """`train` of `python -m sweeper.train …`, and the words after it."""
    _, _, module, *words = shlex.split(command)
    return module.partition(".")[2], words


def treatment(command: str) -> tuple[str, str]:
    """What is done with it, and by which test or why no more."""
    if any(is_carried_out(page, command) for page in CARRIED_OUT if command in read_commands(page)):
        return "carried out", "tests/project/test_documentation.py"
    for done, reasons in (("carried out", ELSEWHERE), ("left out", LEFT_OUT), ("parsed", PARSED)):
        if why := next((why for pattern, why in reasons.items() if re.search(pattern, command)), ""):
            return done, why
    raise AssertionError(f"{command}: no test carries it out, and no reason is known")


def _shell_indented(fence: re.Match[str]) -> str:
    return re.sub("^", "    ", fence[2], flags=re.MULTILINE) if fence[1] == "bash" else ""


def _whole(text: str) -> Iterator[str]:
    """The command, unless it is only the name or a form of one."""
    line = " ".join(re.sub(r"\s+#.*", "", text, flags=re.MULTILINE).replace("\\\n", " ").split())
    line = re.sub(r"^sweeper (?!-)(\w+)", r"python -m sweeper.\1", line).replace("python -P ", "python ")
    line = re.sub(r" \[[^-][^]]*\]", "", line)  # names of what else it takes
    while line != (shorter := re.sub(r" \[(--[^][]*)\]", r" \1", line)):
        line = shorter
    words = [_PLACEHOLDERS.get(word, word) for word in line.split(" ") if word != "…"]
    if not re.search("(=|--arm )…", line) and (len(words) > 3 or (len(words) > 1 and words[1] != "-m")):
        yield " ".join(words)


def main() -> None:
    for page in PAGES:
        for command in read_commands(page):
            print(page.relative_to(REPOSITORY), *treatment(command), command, sep="\t")


if __name__ == "__main__":
    main()
