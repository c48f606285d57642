"""The shell commands of the READMEs and of docs/, and what tests do with each; as a program it lists them."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from small_commands import replaced

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
README, TUTORIAL = REPOSITORY / "README.md", DOCS / "tutorial.md"
CHINESE = REPOSITORY / "README.zh-CN.md"  # test_readme.py holds that its commands are those of README.md
PAGES = [README, CHINESE, REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# Their commands are carried out in an empty folder, one after another, but for those that need more or take long.
CARRIED_OUT = [README, TUTORIAL, DOCS / "decide.md", DOCS / "join.md", *sorted(DOCS.glob("how-to/*.md"))]
NEED_MORE = r"against=|newcomer-tuning|dataset\.root=images|dataset=hub|sweeper\.doctor|\bDIR\b"
NORMAL, LONG = "tests/project/test_documentation.py", "tests/project/test_every_command.py"
# What is done with a command that no page's test carries out: the first pattern that is found in it.
ELSEWHERE = {
    r"^eval|^sweeper --help|train --help": "tests/project/test_commands.py",
    r"^make docs": "tests/project/test_site.py",
    r"docs/study/runs --into docs/study|docs/study/publish": "tests/project/test_study.py",
    r"tests/documented_commands": "tests/project/test_documented_commands.py",
    r"docs/rooms": "tests/project/test_house.py",
    r"docs/notebook": "tests/project/test_notebook.py",
    r"benchmarks\.reproduce --table": "tests/project/test_reproduce.py",
}
LEFT_OUT = {
    r"^git |^uv|^hf ": "downloads what isn't here",
    r"sweeper\.datasets \w": "downloads what isn't here",
    r"^docker ": "needs a daemon: tests/project/test_image.py builds and runs the image",
    r"venv|activate": "make pythons does it for each Python",
    r"sbatch --test-only": "needs a cluster: tests/clusters/test_on_slurm.py",
}
PARSED = {
    r"^pip ": "downloads; the extra is one of the package's",
    r"^make ": "runs tests, of which this is one, or what other tests run; make --dry-run knows its recipe",
    r"sbatch|launcher=slurm": "needs a cluster: tests/clusters/test_on_slurm.py",
    r"launcher=ray": "needs a cluster: tests/clusters/test_on_ray.py",
    r"benchmarks\.first_answer": "downloads all packages: tests/project/test_first_answer.py",
    r"benchmarks\.waiting": "takes minutes: tests/project/test_waiting.py has its trials",
    r"benchmarks\.(step|batch_norm|tilings|host|newton_schulz|stacked|scaling|reproduce)": "needs an NVIDIA GPU",
    r"dataset=hub": "downloads what isn't here",
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
    """Whether the page's test of the normal set carries it out. Of README what the tutorial lacks, for the time."""
    if page not in CARRIED_OUT or re.search(NEED_MORE, command):
        return False
    if page == README:
        return command == "make sweep" or (command.startswith("python ") and command not in read_commands(TUTORIAL))
    trains_or_reads = re.match(r"python -m sweeper\.\w+ [^-]|python -m sweeper\.\w+ -[^h]|find ", command)
    return trains_or_reads is not None and "sweeper.plan" not in command


def module_of(command: str) -> tuple[str, list[str]]:
    """`train` of `python -m sweeper.train …`, and the words after it."""
    _, _, module, *words = shlex.split(command)
    return module.partition(".")[2], words


def treatment(command: str) -> tuple[str, str]:
    """What is done with it, and by which test or why no more."""
    if any(is_carried_out(page, command) for page in CARRIED_OUT if command in read_commands(page)):
        return "carried out", NORMAL
    for done, reasons in (("carried out", ELSEWHERE), ("left out", LEFT_OUT), ("parsed", PARSED)):
        if why := next((why for pattern, why in reasons.items() if re.search(pattern, command)), ""):
            return done, why
    if command.startswith("python "):
        return "carried out by make commands", LONG
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
    """Each command of each page, with what the tests put in place of its words; then how many there are of a kind."""
    total: Counter[str] = Counter()
    for page in PAGES:
        for command in read_commands(page):
            done, by = treatment(command)
            total[done] += 1
            instead = replaced(command, by == NORMAL) if by in (NORMAL, LONG) else ()
            print(page.relative_to(REPOSITORY), done, by, command, *instead, sep="\t")
    print(*(f"{count} {done}" for done, count in total.most_common()), sep=", ")


if __name__ == "__main__":
    main()
