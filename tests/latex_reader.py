"""Checks of LaTeX without a TeX engine: braces and environments balance, and each row of a tabular has its columns."""

import re


def check_latex(text: str) -> None:
    lines = [re.sub(r"(?<!\\)%.*", "", line) for line in text.splitlines()]  # without comments
    plain = re.sub(r"\\.", lambda m: " " if m[0][1] in "{}&%$#_" else m[0], "\n".join(lines))  # without escaped signs
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0, text
    assert depth == 0, text
    assert plain.count("$") % 2 == 0
    assert not re.findall(r"[#_^]", re.sub(r"\\(cite|label)\{[^}]*\}", "", plain)), "a sign that isn't escaped"
    assert plain.isascii() or not {"±", "−", "×", "–"} & {*plain}
    opened: list[str] = []
    for way, name in re.findall(r"\\(begin|end)\{(\w+)\}", plain):
        if way == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lrc]+)\}(.*?)\\end\{tabular\}", plain, re.DOTALL):
        rows = [row for row in body.splitlines() if row and row not in (r"\toprule", r"\midrule", r"\bottomrule")]
        assert rows
        for row in rows:
            assert row.endswith(r" \\") and row.count("&") == len(columns) - 1, row
    outside = re.sub(r"\\begin\{tabular\}.*?\\end\{tabular\}", "", plain, flags=re.DOTALL)
    assert "&" not in outside


def cells(text: str) -> list[list[str]]:
    """The rows of the first tabular, its header first."""
    body = text.split(r"\begin{tabular}")[1].split(r"\end{tabular}", maxsplit=1)[0]
    return [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r" \\")]
