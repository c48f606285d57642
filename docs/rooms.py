"""Draws `docs/rooms.svg`, the rooms of `sweeper/` by layer: `python docs/rooms.py`. A test holds the picture and the
order against the code."""

from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"

# From the highest: a room imports from lower rows alone. Each room with what it is for, in lines that fit its box.
LAYERS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"doctor": ("what this machine offers,", "and whether training works")},
    {
        "plan": ("what a sweep will take,", "before it begins"),
        "decide": ("seeds until each pair", "of arms is decided"),
        "verify": ("what holds of others'", "runs, a sample trained"),
    },
    {"tune": ("a search, its confirmation", "and the comparison")},
    {"train": ("a sweep carried out: entry point, one run to its record,", "launchers, search, trackers")},
    {
        "engine": ("one run's training loop;", "CUDA graphs, kernels, checkpoints"),
        "choose": ("a search's best", "settings"),
    },
    {"datasets": ("read, ordered, split,", "given wrong labels"), "report": ("the page", "and the figures")},
    {
        "config": ("command line", "→ checked runs"),
        "aggregate": ("tables, statistics,", "verdicts in words"),
        "watch": ("the live", "table"),
    },
    {"runs": ("a folder of runs: named, written, read back;", "owner of file names, statuses, columns")},
    {
        "system": ("files, locks, processes,", "limits, terminal, errors"),
        "models": ("textbook", "networks"),
        "optimizers": ("the papers'", "formulas"),
        "schedules": ("learning rates", "over the steps"),
    },
)

WIDTH, HEIGHT, GAP, MARGIN = 860, 74, 12, 16


def count_modules(room: str) -> int:
    """Modules of a room, `__init__.py` and `__main__.py` not counted."""
    folder = ROOT / "sweeper" / room
    if not folder.is_dir():
        return 1
    return sum(path.name not in ("__init__.py", "__main__.py") for path in folder.rglob("*.py"))


def draw() -> str:
    """The picture as SVG."""
    height = 2 * MARGIN + len(LAYERS) * (HEIGHT + GAP) - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, rooms in enumerate(LAYERS):
        y = MARGIN + row * (HEIGHT + GAP)
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        for column, (name, purpose) in enumerate(rooms.items()):
            x = MARGIN + column * (width + GAP)
            modules = count_modules(name)
            size = "1 module" if modules == 1 else f"{modules} modules"
            box = f'x="{x:.0f}" y="{y}" width="{width:.0f}" height="{HEIGHT}" rx="6"'
            parts.append(f'<rect {box} fill="#eef3f8" stroke="#4a6785"/>')
            parts.append(
                f'<text x="{x + 12:.0f}" y="{y + 24}" font-size="16" font-weight="bold" fill="#1b2b3a">{name}'
                f'<tspan font-size="12" font-weight="normal" fill="#5b6b7a">  {size}</tspan></text>'
            )
            for line, text in enumerate(purpose):
                place = f'x="{x + 12:.0f}" y="{y + 44 + 17 * line}"'
                parts.append(f'<text {place} font-size="13" fill="#1b2b3a">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
