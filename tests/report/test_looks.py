"""Colours that everyone can distinguish, measured: CIEDE2000, with normal vision and without one kind of cones."""

import itertools

import numpy as np
import pytest
from conftest import REPOSITORY

from sweeper.report.looks import DARK, DASHES, KNOWN, LIGHT, MARKS, Look, looks, script_looks, style_sheet
from sweeper.report.page import FOLDER

# Machado, Oliveira and Fernandes 2009, severity 1, of linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
PAPER = {"light": "#ffffff", "dark": "#14171b"}


def linear(color):
    share = np.array([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(color, vision="normal"):
    seen = np.clip(np.array(VISION[vision]) @ linear(color), 0, 1)
    t = TO_XYZ @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def ciede2000(one, other):
    """Sharma, Wu and Dalal 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    middle = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(middle**7 / (middle**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = 1 - 0.17 * cos(h - 30) + 0.24 * cos(2 * h) + 0.32 * cos(3 * h + 6) - 0.20 * cos(4 * h - 63)
    sl, sc, sh = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2), 1 + 0.045 * c, 1 + 0.015 * c * t
    rt = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / sc, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / sh
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rt * dc * dh))


def cos(degrees):
    return np.cos(np.radians(degrees))


def contrast(one, other):
    low, high = sorted(float(TO_XYZ[1] @ linear(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_is_the_published_one(one, other, expected):
    """Pairs of Sharma, Wu and Dalal's table 1."""
    assert ciede2000(one, other) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_every_two_colours_differ_for_every_eye(colors, vision):
    seen = {color: lab(color, vision) for color in colors}
    apart = {pair: ciede2000(seen[pair[0]], seen[pair[1]]) for pair in itertools.combinations(colors, 2)}
    assert {pair: found for pair, found in apart.items() if found < 12} == {}


@pytest.mark.parametrize(("colors", "paper"), [(LIGHT, "light"), (DARK, "dark")])
def test_every_colour_stands_out_from_the_paper(colors, paper):
    """WCAG 2.2 asks for 3 of what isn't text."""
    assert {color: contrast(color, PAPER[paper]) for color in colors if contrast(color, PAPER[paper]) < 3} == {}


def test_texts_have_a_contrast_of_4_5():
    """In both schemes, on the page and on its panels and shades, as WCAG 2.2 asks."""
    text = (FOLDER / "report.css").read_text(encoding="utf-8")
    for scheme, block in zip(PAPER, text.split(":root {")[1:3], strict=True):
        values = dict(
            part.strip().removeprefix("--").split(": ") for part in block.split("}")[0].split(";") if "#" in part
        )
        assert values["paper"] == PAPER[scheme]
        for ground in ("paper", "panel"):
            for ink in ("ink", "soft", "accent", "good", "bad", "warn"):
                assert contrast(values[ink], values[ground]) >= 4.5, (scheme, ink, ground)


def test_a_name_has_its_look_whatever_stands_beside_it():
    alone = {name: looks([name])[name] for name in KNOWN}
    assert looks([*KNOWN, "mine", "a", "b"]) | alone == looks([*KNOWN, "mine", "a", "b"])
    assert looks(["mine", "sgd"])["sgd"] == looks(["sgd", "adam", "zzz"])["sgd"]
    assert len({look.hue for look in alone.values()}) == len(KNOWN), "no two optimizers have one colour"


def test_the_known_names_are_choices():
    assert {*KNOWN, "any"} == {path.stem for path in (REPOSITORY / "conf" / "optimizer").glob("*.yaml")}


def test_optimizers_of_ones_own_have_free_colours_as_long_as_there_are_any():
    names = [f"mine{k}" for k in range(len(LIGHT) - 2)]
    found = looks(["sgd", "lion", *names])
    assert len({look.hue for look in found.values()}) == len(LIGHT) and not any(look.dash for look in found.values())
    many = looks([f"mine{k}" for k in range(len(LIGHT) * len(DASHES))])
    assert len(set(many.values())) == len(many)
    for one, other in itertools.combinations(many.values(), 2):
        assert (one.hue, one.dash) != (other.hue, other.dash) and (one.hue != other.hue or one.mark != other.mark)
    assert len(looks([*many, "one more"])) == len(many) + 1


def test_page_and_script_have_them_too():
    assert f"--hue-0:{LIGHT[0]};" in style_sheet() and f"--hue-17:{DARK[17]};" in style_sheet()
    given = script_looks()
    hue, dash, mark = Look(3, 1).indices()
    assert (hue, given["dashes"][dash], given["marks"][mark]) == (3, "6 3", MARKS[6][1])
