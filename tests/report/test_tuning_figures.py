"""The figures of the tuning are its charts."""

import itertools
import math

import pytest
from conftest import REPOSITORY

from sweeper.aggregate.tasks import group_tasks
from sweeper.report.tuning import tuning_charts
from sweeper.report.tuning_figures import expected_best_figure, map_figure
from sweeper.runs.results import read_results

pytestmark = pytest.mark.slow
SEARCH = REPOSITORY / "docs" / "study" / "cifar10" / "tuning" / "runs"


def test_the_studys_search_is_drawn():
    """A number for each trial and a ring for each of five optimizers; five curves."""
    charts = tuning_charts(group_tasks(read_results([SEARCH]).runs))
    trials_of_each = [35, 12, 15, 16, 18]
    maps = map_figure(charts)
    assert len(maps.axes) == 5
    for axes, chart in zip(maps.axes, charts, strict=False):
        trials, *_, ring = axes.collections
        assert len(axes.texts) == len(trials.get_paths())
        assert [text.get_text() for text in axes.texts] == [f"{value:.1f}" for value in chart["series"][0]["heat"]]
        assert ring.get_offsets().tolist() == [[chart["series"][-1]["x"][0], chart["series"][-1]["y"][0]]]
        assert axes.get_title().replace("\n", " ") == chart["title"]
    assert [len(axes.texts) for axes in maps.axes] == trials_of_each
    (axes,) = expected_best_figure(charts).axes
    assert [len(line.get_xdata()) for line in axes.lines] == trials_of_each


def test_cells_of_a_large_grid_do_not_overlap():
    """Adam's has five columns and six rows; each cell has its number in its middle."""
    found = read_results([SEARCH]).runs
    figure = map_figure(tuning_charts(group_tasks(found)))
    figure.draw_without_rendering()
    for axes in figure.axes:
        trials, *_ = axes.collections
        boxes = [axes.transData.transform(path.vertices) for path in trials.get_paths()]
        boxes = [(*corners.min(axis=0), *corners.max(axis=0)) for corners in boxes]
        assert len(boxes) >= 12
        for one, other in itertools.combinations(boxes, 2):
            assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        for (left, low, right, high), number in zip(boxes, axes.texts, strict=True):
            extent = number.get_window_extent()
            assert left < extent.x0 < extent.x1 < right and low < extent.y0 < extent.y1 < high


def test_labels_of_learning_rates_do_not_overlap():
    slants, found = set(), []
    every = read_results([SEARCH]).runs
    few = [run for run in every if run.values["optimizer"] == "adamw" and run.values["lr"] in (0.001, 0.003162, 0.01)]
    for runs in (few, every):
        figure = map_figure(tuning_charts(group_tasks(runs)))
        figure.draw_without_rendering()
        found += figure.axes
    for axes in found:
        labels = axes.get_xticklabels()
        slants.add(slant := labels[0].get_rotation())
        for one, next_one in itertools.pairwise(labels):
            left, right = one.get_window_extent(), next_one.get_window_extent()
            across = (right.x0 + right.x1 - left.x0 - left.x1) / 2 * math.sin(math.radians(slant))
            assert left.x1 < right.x0 or across > one.get_fontsize() * axes.figure.dpi / 72
    assert slants == {0, 30}


def test_without_a_search_nothing_is_drawn():
    assert map_figure([]) is None and expected_best_figure([]) is None
