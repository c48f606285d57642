"""A number and what it counts go through `counted`, so that no text says "1 runs"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conftest import REPOSITORY

NOUNS = (
    "arms|bytes|cells|characters|classes|copies|cores|directories|epochs|extensions|files|folders|images|labels|"
    "modules|optimizers|others|pairs|parameters|points|problems|records|repeats|rows|runs|seeds|settings|steps|tasks|"
    "threads|times|trials|values"
)
FOLLOWING = re.compile(rf" (?:(?!(?:at|by|for|in|of|on|the|with) )[a-z]+ )?({NOUNS})\b(?!/)")
# What is followed by a plural and is no number that may be 1, by the module's name.
SEVERAL = {
    "aggregate.conclusions": {
        "'both' if n == 2 else f'all {n}'",
        "seeds",
        "ratio",
    },
    "aggregate.sample_size": {"sizes", "seeds"},  # lists
    "aggregate.limits": {"count"},
    "aggregate.verdict": {"count", "finished"},
    "choose.confirm": {"len(tried)", "tied"},  # more than are confirmed
    "config.compared": {"config['epochs']"},  # the second of a list
    "config.grid": {"runs"},  # more than are taken
    "datasets.data": {"split"},
    "datasets.image_folder": {"odd[0]"},
    "datasets.splits": {"left"},  # no training images
    "decide.arms": {"b['epochs']"},
    "decide.field": {"len(chosen)"},
    "decide.rule": {"seeds"},  # looks begin at two
    "decide.tuned": {"self.extensions"},  # of the preset; the text is compared with the one in `decision.json`
    "decide.words": {"look.seeds", "last.seeds", "seeds", "len(verdicts)"},
    "engine.numerics": {"kept['threads']"},  # more than there are cores
    "report.decision": {"', '.join((f'{seeds:d}' for seeds in rule['looks']))"},
    "report.paper_figures": {"found.tasks", "lengths[-1]"},
    "report.tables": {"len(used)"},  # a table over tasks has two or more
    "system.text": {"number"},
    "train.search.carry_out": {"at_once", "locked.owner"},
    "train.search.trials": {"there", "told"},
    "tune.steps": {"fewest"},
    "watch.leaderboard": {"max(Counter(self.seeds).values())"},
}


def counts(path: Path) -> Iterator[tuple[str, str]]:
    """What f-strings have before a plural, and the plural, but for decimals and constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                    continue
                decimals = value.format_spec is not None and ast.unparse(value.format_spec).endswith("f'")
                decimals |= isinstance(value.value, ast.Call) and ast.unparse(value.value.func) == "size"  # always has
                constant = isinstance(value.value, ast.Name) and value.value.id.isupper()
                if not decimals and not constant and (found := FOLLOWING.match(str(after.value))):
                    yield ast.unparse(value.value), found[1]


def name(path: Path) -> str:
    inside = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(inside[1:] if inside[0] == "sweeper" else inside)


def test_what_is_counted_has_its_plural_by_one_rule():
    modules = [*(REPOSITORY / "sweeper").rglob("*.py"), REPOSITORY / "docs" / "study" / "publish.py"]
    wrong = {name(path): {value for value, _ in counts(path)} - SEVERAL.get(name(path), set()) for path in modules}
    assert {module: values for module, values in wrong.items() if values} == {}, "say it by system.text.counted"
    by_hand = [name(path) for path in modules if re.search(r"""["']s["'] \*""", path.read_text(encoding="utf-8"))]
    assert by_hand == []


def test_every_exception_is_one():
    there = {name(path): {value for value, _ in counts(path)} for path in (REPOSITORY / "sweeper").rglob("*.py")}
    assert {module: known - there[module] for module, known in SEVERAL.items() if known - there[module]} == {}


def test_it_is_seen(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('f"{n} runs, {len(x)} more copies, {y:.1f} points, {n} images/s, {MOST} values, {d} days"\n')
    assert [*counts(module)] == [("n", "runs"), ("len(x)", "copies")]
