"""What a sweep asks for, read before it trains, and told to the process that shows its end."""

from made_runs import make_config, make_run

from sweeper.runs.asked import AskedRuns, OwnRuns, asked_runs


def test_what_was_there_before_is_read_from_the_records(tmp_path):
    plain, tuned = make_run(tmp_path), make_run(tmp_path, optimizer="lion", tuned="9 epochs")
    missing, cut = tmp_path / "digits-cnn" / "adam-seed1-00000000", make_run(tmp_path, optimizer="adam")
    (cut / "run.json").write_text("{")
    configs = dict.fromkeys((plain, missing, cut), make_config()) | {tuned: make_config(tuned="3 epochs")}
    asked = asked_runs(configs, [])
    assert asked.before == {plain: None, tuned: "9 epochs"} and asked.tuned == {tuned: "3 epochs"}
    assert asked.runs == [plain, missing, cut, tuned]


def test_it_survives_the_way_into_another_process(tmp_path):
    odd = tmp_path / "caf\udce9" / "run"  # bytes that are no UTF-8
    asked = AskedRuns([odd, tmp_path], [{"mine": [odd]}], {tmp_path: "9 epochs"})
    assert OwnRuns.from_json(asked.to_json().encode().decode()) == OwnRuns(
        [{str(odd): "mine"}], {str(odd): None, str(tmp_path): "9 epochs"}
    )
    assert OwnRuns.from_json("") == OwnRuns([], {})
