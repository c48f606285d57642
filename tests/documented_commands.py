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
INSTALLED = "tests/project/test_pip_commands.py"  # as LONG by make commands
GPU = "tests/project/test_gpu_commands.py"  # by make test-cuda
VIEWERS = "tests/train/trackers/test_viewers.py"  # by make test-extras
RAY, SLURM = "tests/clusters/test_on_ray.py", "tests/clusters/test_on_slurm.py"  # by make ray-test, make slurm-test
# What is done with a command that no page's test carries out: the first pattern that is found in it.
ELSEWHERE = {
    r"sweeper\.datasets \w": "tests/doctor/test_facts.py",  # with a download in place of the network's
    r"^eval|^sweeper --help|train --help": "tests/project/test_commands.py",
    r"^make docs": "tests/project/test_site.py",
    r"docs/study/publish": "tests/project/test_study.py",
    r"tests/documented_commands": "tests/project/test_documented_commands.py",
    r"docs/rooms": "tests/project/test_house.py",
    r"docs/notebook": "tests/project/test_notebook.py",
    r"benchmarks\.reproduce --table": "tests/project/test_reproduce.py",
    r"benchmarks\.(tilings|newton_schulz|batch_norm)|benchmarks\.scaling --only (lanes|auto|gpus)": GPU,
    r"^tensorboard |^trackio ": VIEWERS,
    r"launcher=ray": RAY,
    r"launcher=slurm|^sbatch": SLURM,
}
BY_MAKE_COMMANDS = {r"^pip |^uv export|^uv lock|^uv sync .*--dry-run": INSTALLED, r"^python ": LONG}
LEFT_OUT = {
    r"^mlflow ": "of a package that isn't installed; tests/train/trackers/test_mlflow.py reads what it would show",
    r"^wandb ": "sends to an account; tests/train/trackers/test_wandb.py reads what it would send",
    r"pre-commit install": "changes the clone; make test has the same checks",
    r"^git ": "has no address yet; tests/project/test_first_answer.py clones a made repository",
    r"^uv": f"downloads gigabytes; {INSTALLED} finds all that uv.lock names",
    r"^hf ": "downloads what isn't here; tests/datasets/test_from_hub.py trains on such a folder",
    r"^docker |^mkdir -p outputs": "needs a daemon: tests/project/test_image.py builds and runs the image",
    r"venv|activate": "make pythons does it for each Python",
}
PARSED = {
    r"^pytest ": "is a part of make faults or make test",
    r"^make ": "runs tests, of which this is one, or what other tests run; make --dry-run knows its recipe",
    r"benchmarks\.first_answer": "downloads all packages: tests/project/test_first_answer.py",
    r"dataset=hub": "downloads what isn't here; tests/datasets/test_from_hub.py trains on a set from disk",
}

_PROGRAM = (
    r"(?:python3? |sweeper |(?:\.venv/bin/)?pip |make |git |find |sbatch |hf |uvx? |docker |mkdir |eval |\. \.venv|"
    r"pytest |tensorboard |mlflow |wandb |trackio )"
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(rf"^    ({_PROGRAM}(?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE)
_SPAN = re.compile(rf"`({_PROGRAM}[^`\n]+(?:\n[^`\n]+)?)`")
_PLACEHOLDERS = {"N": "2", "POINTS": "0.5", "KEY": "k"}


def read_commands(page: Path) -> list[str]:
    """The commands of a page's blocks and spans, each once, in the page's order: in one line, without comments,
    `sweeper train` as `python -m sweeper.train`, and with all words that it shows as optional."""
    text = _FENCE.sub(_shell_indented, page.read_text(encoding="utf-8"))
    found = [(match.start(), match[1], form is _LINE) for form in (_LINE, _SPAN) for match in form.finditer(text)]
    return list(dict.fromkeys(command for _, text, in_block in sorted(found) for command in _whole(text, in_block)))


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
    treatments = {"carried out": ELSEWHERE, "parsed": PARSED, "carried out by make commands": BY_MAKE_COMMANDS}
    for done, reasons in (treatments | {"left out": LEFT_OUT}).items():
        if why := next((why for pattern, why in reasons.items() if re.search(pattern, command)), ""):
            return done, why
    raise AssertionError(f"{command}: no test carries it out, and no reason is known")


def _shell_indented(fence: re.Match[str]) -> str:
    return re.sub("^", "    ", fence[2], flags=re.MULTILINE) if fence[1] == "bash" else ""


def _whole(text: str, in_block: bool) -> Iterator[str]:
    """The command, unless it is only a form of one, or in a sentence its name."""
    line = " ".join(re.sub(r"\s+#.*", "", text, flags=re.MULTILINE).replace("\\\n", " ").split())
    line = re.sub(r"^sweeper (?!-)(\w+)", r"python -m sweeper.\1", line).replace("python -P ", "python ")
    line = re.sub(r" \[[^-][^]]*\]", "", line)  # names of what else it takes
    while line != (shorter := re.sub(r" \[(--[^][]*)\]", r" \1", line)):
        line = shorter
    words = [_PLACEHOLDERS.get(word, word) for word in line.split(" ") if word != "…"]
    if not re.search("(=|--arm )…", line) and (in_block or len(words) > 3 or (len(words) > 1 and words[1] != "-m")):
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
