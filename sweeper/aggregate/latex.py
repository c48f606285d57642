"""LaTeX: texts as they are, tabulars with the rules of booktabs, floating tables."""

from collections.abc import Sequence

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "−": "$-$", "×": r"$\times$"}
_LATEX |= {c: f"{{{c}}}" for c in "[]*"}  # after a line break LaTeX would read them as its options
_LATEX |= {c: f"\\{c}" for c in "&%$#_{}"}


def in_latex(text: str) -> str:
    """A text that LaTeX sets as it is."""
    return "".join(_LATEX.get(c, c) for c in text)


def tabular(columns: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A `tabular`. Cells are LaTeX already.

    Args:
        columns: their alignment, e.g. `lrr`.
    """
    lines = [" & ".join(line) + r" \\" for line in (header, *rows)]
    frame = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:]]
    return "\n".join([*frame, r"\bottomrule", r"\end{tabular}"])


def floating(content: str, caption: str, label: str) -> str:
    """A `table` with its caption above, as tables have it. The caption is LaTeX already."""
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\label{{{label}}}", content, r"\end{table}"]
    return "\n".join(lines)
