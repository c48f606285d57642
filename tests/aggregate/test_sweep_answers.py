"""What a sweep says at its end: of its own runs, and of those beside them in its folder."""

import shutil
from pathlib import Path

from made_runs import change_record, make_arm, make_run, name_arms

from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.sweep_answers import describe_sweep
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results

SCATTER = (0.0, 0.004, -0.002, 0.001, -0.003)


def tasks_of(folder, **sought):
    runs = read_results([folder]).runs
    return group_tasks([run for run in runs if all(run.values[name] in those for name, those in sought.items())])


def study(folder, optimizers=("sgd", "adam"), **options):
    for k, optimizer in enumerate(optimizers):
        for seed in range(5):
            accuracy = 0.9 - 0.02 * k + SCATTER[(seed + k) % 5]
            make_run(folder, optimizer=optimizer, seed=seed, accuracy=accuracy, **options)


def test_seeds_that_are_added_are_told_with_those_that_were_there(tmp_path):
    study(tmp_path)
    said = describe_sweep(tasks_of(tmp_path, seed=(3, 4)), tasks_of(tmp_path), "outputs/")
    assert said[0].startswith("No winner yet: sgd leads adam by ")
    assert said[1:] == ["with the other runs of this task in outputs/: sgd > adam"]


def test_an_optimizer_that_comes_later_is_told_beside_those_that_were_there(tmp_path):
    study(tmp_path, ("sgd", "adam", "lion"))
    said = describe_sweep(tasks_of(tmp_path, optimizer=("lion",)), tasks_of(tmp_path), "outputs/")
    assert said == [
        "There is one optimizer only: lion with 86.00 ± 0.27 % (n = 5).",
        "with the other runs of this task in outputs/: sgd > adam > lion",
    ]


def test_of_several_tasks_each_line_names_its_own(tmp_path):
    study(tmp_path)
    study(tmp_path, epochs=9)
    both = tasks_of(tmp_path)
    said = describe_sweep(tasks_of(tmp_path, seed=(3, 4)), both, "outputs/")
    assert [line.partition(": ")[0] for line in said] == [label for task in both for label in (task.label,) * 2]


def test_nothing_is_added_where_the_folder_says_the_same(tmp_path):
    study(tmp_path)
    whole = tasks_of(tmp_path)
    assert describe_sweep(whole, whole, "outputs/") == ["sgd > adam"]
    of_these = tasks_of(tmp_path, seed=(0, 1, 2, 3))
    assert describe_sweep(of_these, whole, "outputs/") == ["sgd > adam"]


def test_a_sweep_that_meets_other_settings_tells_that_the_folder_has_no_verdict(tmp_path):
    study(tmp_path)
    own = tasks_of(tmp_path, seed=(0, 1, 2, 3))
    other = make_run(tmp_path, optimizer="sgd", optimizer__lr=9.0, seed=0)
    told = "No verdict between optimizers: settings were chosen by test accuracy."
    assert describe_sweep(own, tasks_of(tmp_path), "outputs/") == [
        "sgd > adam",
        f"with the other runs of this task in outputs/: {told}",
    ]
    shutil.rmtree(other)
    assert describe_sweep(own, tasks_of(tmp_path), "outputs/") == ["sgd > adam"]


def test_settings_that_are_added_and_take_the_verdict_away_are_told(tmp_path):
    study(tmp_path)
    one, other = (str(make_run(tmp_path, optimizer="sgd", optimizer__lr=rate, seed=0)) for rate in (3.0, 9.0))
    runs = read_results([tmp_path]).runs
    added = group_tasks([run for run in runs if run.path in (one, other)])
    own, whole = describe_sweep(added, tasks_of(tmp_path), "outputs/")
    assert own.startswith("There is one optimizer only, sgd, and no verdict between its 2 settings")
    told = "No verdict between optimizers: settings were chosen by test accuracy."
    assert whole == f"with the other runs of this task in outputs/: {told}"
    assert len(describe_sweep(added, added, "outputs/")) == 1
    alone, beside = describe_sweep(
        group_tasks([run for run in runs if run.path == one]), tasks_of(tmp_path), "outputs/"
    )
    assert alone.startswith("There is one optimizer only: sgd with ") and beside == whole


def test_an_arm_that_gets_seeds_alone_is_told_where_it_is_compared_and_not_how_it_could_be(tmp_path):
    arms = {name: make_arm(tmp_path, 0.9 - rate, optimizer__lr=rate) for name, rate in (("a", 0.1), ("b", 0.5))}
    name_arms(tmp_path, **arms)
    more = make_arm(tmp_path, 0.8, (4, 5), optimizer__lr=0.1)
    name_arms(tmp_path, a=more)
    own = group_tasks([run for run in read_results([tmp_path]).runs if Path(run.path) in more])
    alone, compared = describe_sweep(own, tasks_of(tmp_path), "outputs/")
    assert alone.startswith("There is one arm only: a with ") and "give one of them" not in alone
    assert compared == "with the other runs of this task in outputs/: a > b"
    assert describe_sweep(own, own, "outputs/")[0].endswith("give one of them beside it, by its name.")


def test_one_that_scatters_plainly_more_is_told_where_something_is_claimed(tmp_path):
    study(tmp_path, ("sgd", "adam", "adamw", "muon"))
    for seed in range(5):
        make_run(tmp_path, optimizer="lion", seed=seed, accuracy=0.4 + 30 * SCATTER[seed])
    tasks = tasks_of(tmp_path)
    answer, told = describe_sweep(tasks, tasks, "outputs/")
    assert answer == "{sgd, adam, adamw, muon} > lion" and told.startswith("lion scatters ")
    assert told.endswith(" the others, which the intervals don't allow for: the error may be above 5 %.")

    whole = tasks_of(tmp_path)
    said = describe_sweep(tasks_of(tmp_path, optimizer=("sgd", "adam"), seed=(0, 1, 2)), whole, "outputs/")
    assert [line for line in said if "scatters" in line] == [f"with the other runs of this task in outputs/: {told}"]


def test_where_settings_were_chosen_nothing_is_claimed_so_no_scatter_is_told(tmp_path):
    study(tmp_path, ("sgd", "adam", "adamw", "muon"))
    study(tmp_path, ("sgd",), optimizer__lr=9.0)
    for seed in range(5):
        make_run(tmp_path, optimizer="lion", seed=seed, accuracy=0.4 + 30 * SCATTER[seed])
    tasks = tasks_of(tmp_path)
    assert describe_sweep(tasks, tasks, "outputs/") == [
        "No verdict between optimizers: settings were chosen by test accuracy."
    ]


def test_runs_of_other_images_are_no_other_runs_of_the_task(tmp_path):
    study(tmp_path)
    for path in tmp_path.glob("*/*-seed[34]-*"):
        change_record(path, environment__data_digest="a" * 64)
    for path in tmp_path.glob("*/*-seed[012]-*"):
        change_record(path, environment__data_digest="b" * 64)
    assert len(group_tasks(read_results([tmp_path]).runs)) == 2
    assert len(describe_sweep(tasks_of(tmp_path, seed=(3, 4)), tasks_of(tmp_path), "outputs/")) == 1


def test_without_a_run_there_is_no_verdict():
    assert describe_sweep([], [], "outputs/") == ["No run can be read, so there is no verdict."]


def test_who_loses_less_by_wrong_labels_is_told_and_with_the_folders_runs_where_these_say_more(tmp_path):
    noise = {"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}}
    study(tmp_path)
    for k, (optimizer, lost) in enumerate((("sgd", 0.2), ("adam", 0.1))):
        for seed in range(5):
            accuracy = 0.9 - 0.02 * k + SCATTER[(seed + k) % 5] - lost - 0.004 * k * (seed % 2)
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=accuracy, **noise)
    whole = tasks_of(tmp_path)
    told = "robustness, digits, cnn, 20 % symmetric label noise: adam > sgd (> means: loses less)"
    assert describe_sweep(whole, whole, "outputs/")[-1] == told
    noisy = tasks_of(tmp_path, noise=("symmetric",))
    assert describe_sweep(noisy, whole, "outputs/") == ["adam > sgd", f"with the other runs in outputs/: {told}"]
    few = tasks_of(tmp_path, seed=(0,))
    said = describe_sweep(few, whole, "outputs/")
    assert [line for line in said if "robustness" in line] == [
        f"{told.partition(': ')[0]}: No order: one seed tells nothing of chance; three or more give intervals",
        f"with the other runs in outputs/: {told}",
    ]


def test_in_a_folder_with_other_lengths_or_optimizers_what_wrong_labels_cost_is_told_once(tmp_path):
    """Other lengths put the length into the label of the folder's task; other optimizers add no seed to the sweep's."""
    noise = {"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}}
    study(tmp_path, ("sgd", "adam", "lion"))
    study(tmp_path, ("sgd", "adam", "lion"), **noise)
    study(tmp_path, epochs=9)
    said = describe_sweep(tasks_of(tmp_path, epochs=(3,)), tasks_of(tmp_path), "outputs/")
    words = "No order: all optimizers have the same result in every seed"
    told = f"robustness, digits, cnn, 20 % symmetric label noise: {words}"
    assert [line for line in said if "robustness" in line] == [told]
    make_run(tmp_path, "diverged", optimizer="lion", seed=9, **noise)
    said = describe_sweep(tasks_of(tmp_path, epochs=(3,), optimizer=("sgd", "adam")), tasks_of(tmp_path), "outputs/")
    assert [line for line in said if "robustness" in line] == [told]


def test_a_sweep_with_wrong_labels_tells_nothing_of_other_wrong_labels(tmp_path):
    study(tmp_path)
    for rate in (0.2, 0.4):
        study(tmp_path, noise={"name": "symmetric", "kind": "symmetric", "rate": rate, "seed": 0})
    both, right = tasks_of(tmp_path, noise_rate=(0.0, 0.2)), tasks_of(tmp_path, noise_rate=(0.0,))
    told = [
        [line for line in describe_sweep(own, tasks_of(tmp_path), "o/") if "robust" in line] for own in (both, right)
    ]
    assert [["40 %" in line for line in lines] for lines in told] == [[False], [False, True]]


def test_where_none_learns_much_that_is_said_beside_who_leads(tmp_path):
    """A tenth of the images is what guessing gives with ten classes; 14 % are 4.4 % of the way to none wrong."""
    for accuracy, said in (
        (0.14, ["No optimizer ends far above guessing, which is 10 % with 10 classes."]),
        (0.15, []),
    ):
        for k, optimizer in enumerate(("sgd", "adam")):
            for seed in range(5):
                final = accuracy - 0.02 * k + SCATTER[(seed + k) % 5] / 10
                environment = {"num_classes": 10}
                make_run(
                    tmp_path / str(accuracy), optimizer=optimizer, seed=seed, accuracy=final, environment=environment
                )
        whole = tasks_of(tmp_path / str(accuracy))
        assert describe_sweep(whole, whole, "outputs/") == ["sgd > adam", *said]
        assert [one for one in describe_limits(whole, whole[0].runs()) if "guessing" in one] == said


def test_where_the_only_one_with_a_result_learns_little_that_is_said_too(tmp_path):
    """Alone, beside one that diverged, beside one that failed; one seed is enough."""
    said = "sgd does not end far above guessing, which is 10 % with 10 classes."
    for status in ("", "diverged", "failed"):
        for accuracy, told in ((0.14, [said]), (0.15, [])):
            folder = tmp_path / f"{status}{accuracy}"
            make_run(folder, accuracy=accuracy, environment={"num_classes": 10})
            if status:
                make_run(folder, status, optimizer="lion", environment={"num_classes": 10})
            whole = tasks_of(folder)
            assert describe_sweep(whole, whole, "outputs/")[1:] == told
            assert [one for one in describe_limits(whole, whole[0].runs()) if "guessing" in one] == told


def test_a_task_with_one_result_is_told_beside_one_that_is_whole(tmp_path):
    """With wrong labels adam diverged in every seed."""
    study(tmp_path)
    noise = {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}
    for seed in range(5):
        make_run(tmp_path, seed=seed, noise=noise, accuracy=0.1, environment={"num_classes": 10})
        make_run(tmp_path, "diverged", optimizer="adam", seed=seed, noise=noise, environment={"num_classes": 10})
    whole = tasks_of(tmp_path)
    assert describe_sweep(whole, whole, "outputs/") == [
        "digits, cnn, no label noise: sgd > adam",
        "digits, cnn, 20 % symmetric label noise: Only sgd completed, with 10.00 ± 0.00 % (n = 5); "
        "adam diverged in 5 of 5 runs.",
        "digits, cnn, 20 % symmetric label noise: sgd does not end far above guessing, which is 10 % with 10 classes.",
    ]


def test_a_sweep_of_which_one_completed_is_told_with_who_is_there_besides(tmp_path):
    study(tmp_path)
    make_run(tmp_path, "diverged", optimizer="lion", seed=0)
    own = tasks_of(tmp_path, optimizer=("sgd", "lion"), seed=(0, 1))
    assert describe_sweep(own, tasks_of(tmp_path), "outputs/") == [
        "Only sgd completed, with 90.20 ± 0.28 % (n = 2); lion diverged in its one run.",
        "with the other runs of this task in outputs/: sgd > adam; lion diverged in its one seed",
    ]
    whole = tasks_of(tmp_path, optimizer=("sgd", "lion", "adam"), seed=(0, 1))
    alike = describe_sweep(tasks_of(tmp_path, optimizer=("sgd", "lion"), seed=(0, 1)), whole, "outputs/")
    assert len(alike) == 2 and "adam" in alike[1]


def test_an_arm_beside_one_that_failed_is_not_told_to_be_given_another(tmp_path):
    for status in ("failed", "diverged"):
        folder = tmp_path / status
        lost = [make_run(folder, status, optimizer__lr=9.0)]
        name_arms(folder, a=make_arm(folder, 0.9), b=lost)
        own = tasks_of(folder)
        (said,) = describe_sweep(own, own, "outputs/")
        assert said == f"Only a completed, with 90.00 ± 0.76 % (n = 3); b {status} in its one run."
