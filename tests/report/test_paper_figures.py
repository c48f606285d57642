"""Figures of what is compared."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.critical_difference import compare_tasks
from sweeper.aggregate.tasks import group_tasks
from sweeper.report.paper_figures import CLEAR, critical_difference_figure, forest_figure, lengths_figure, time_figure
from sweeper.runs.results import read_results

pytestmark = pytest.mark.slow
TOP = {"_adam": 0.9, "lion": 0.901, "sgd": 0.7}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """Three optimizers, three seeds, five lengths."""
    folder = tmp_path_factory.mktemp("lengths")
    for epochs in (3, 6, 12, 24, 48):
        for optimizer, top in TOP.items():
            for seed in (1, 2, 3):
                accuracy = top + 0.01 * seed + 0.0007 * epochs + 0.003 * (seed == 2) * (optimizer == "lion")
                make_run(folder, accuracy=accuracy, optimizer=optimizer, seed=seed, epochs=epochs)
    return group_tasks(read_results([folder]).runs)


def test_the_forest_has_every_pair_and_those_that_exclude_0_are_coloured(tasks):
    figure = forest_figure(tasks)
    assert len(figure.axes) == 5
    for axes, task in zip(figure.axes, tasks, strict=True):
        found = task.comparison.differences
        points = [line for line in axes.lines if line.get_marker() == "o"]
        assert [line.get_xdata()[0] for line in points] == [100 * d.difference for d in found]
        assert [line.get_color() == CLEAR for line in points] == [d.excludes_zero for d in found]
        ends = [tuple(collection.get_segments()[0][:, 0]) for collection in axes.collections]
        assert ends == [(100 * d.low, 100 * d.high) for d in found]
        assert [text.get_text() for text in axes.get_yticklabels()] == [
            f"{' ' * d.a.startswith('_')}{d.a} − {' ' * d.b.startswith('_')}{d.b}" for d in found
        ]


def test_who_diverged_is_marked_and_better_than_none(tmp_path):
    for seed, accuracy in enumerate((0.9, 0.91, 0.921, 0.93), 1):
        make_run(tmp_path, accuracy=accuracy, seed=seed)
        make_run(tmp_path, accuracy=accuracy - 0.1 + 0.001 * (seed == 2), optimizer="lion", seed=seed)
    make_run(tmp_path, "diverged", seed=5, error="x")
    (axes,) = forest_figure(group_tasks(read_results([tmp_path]).runs)).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sgd† − lion"] and "†" in axes.get_xlabel()
    assert [line.get_color() for line in axes.lines if line.get_marker() == "o"] != [CLEAR]


@pytest.mark.parametrize("count", [1, 3])
def test_no_title_leaves_its_panel_beside_long_names(tmp_path, count):
    for epochs in range(3, 3 + count):
        for seed in (1, 2, 3):
            for optimizer in ("a_rather_long_name", "another_quite_long_name"):
                accuracy = 0.9 + 0.01 * seed * (1 + 0.1 * len(optimizer))
                dataset = {"name": "a data set of long name"}
                make_run(
                    tmp_path, accuracy=accuracy / 2, optimizer=optimizer, seed=seed, epochs=epochs, dataset=dataset
                )
    figure = forest_figure(group_tasks(read_results([tmp_path]).runs))
    figure.draw_without_rendering()
    columns = min(count, 2)
    for k, axes in enumerate(figure.axes):
        left = k % columns / columns * figure.bbox.width
        box = axes.title.get_window_extent()
        assert left <= box.x0 and box.x1 <= left + figure.bbox.width / columns


def test_lengths_are_one_panel_for_tasks_alike_in_all_else(tasks):
    (axes,) = lengths_figure(tasks).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["3", "6", "12", "24", "48"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [" _adam", "lion", "sgd"]
    (line,) = [c.lines[0] for c in axes.containers if c.get_label() == "sgd"]
    assert list(line.get_ydata()) == pytest.approx([100 * (0.72 + 0.0007 * e) for e in (3, 6, 12, 24, 48)])


def test_seconds_are_drawn_where_each_run_had_its_device_alone(tasks, tmp_path):
    """Made runs train for 1.5 seconds each."""
    (axes,) = time_figure(tasks).axes
    assert axes.get_xlabel() == "seconds of training, 3 to 48 epochs"
    assert {x for c in axes.containers for x in c.lines[0].get_xdata()} == {1.5}
    for epochs in (3, 6):
        change_record(make_run(tmp_path, epochs=epochs), result__shared_device=epochs == 6)
    shared = group_tasks(read_results([tmp_path]).runs)
    assert time_figure(shared) is None and lengths_figure(shared) is not None


def test_the_diagram_has_a_bar_for_each_group(tasks):
    found = compare_tasks(tasks)
    (axes,) = critical_difference_figure(tasks).axes
    texts = " ".join(text.get_text() for text in axes.texts)
    assert all(f"{name} ({rank:.2f})" in texts for name, rank in found.ranks.items())
    assert f"critical difference {found.critical:.2f} (Nemenyi, 5 %); 5 tasks" in texts
    bars = [c for c in axes.collections if c.get_linewidth()[0] == 2.6]
    assert len(bars) == len(found.groups)


def test_what_there_is_nothing_to_draw_of_is_left_out(tasks):
    assert lengths_figure(tasks[:1]) is None and critical_difference_figure(tasks[:4]) is None
    assert forest_figure([]) is None
