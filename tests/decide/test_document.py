"""`decide --json` prints one document and nothing else on standard output, however the command ends."""

import json

from json_schema import check
from made_runs import make_rows, write_finished_run

from sweeper.config.grid import compose_grid
from sweeper.decide.command import main

WORDS = ("dataset=digits", "model=mlp", "epochs=1")
ARMS = ("--arm", "a: optimizer=sgd", "--arm", "b: optimizer=lion")


def test_bad_input_is_a_document_with_the_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    code = main(["--json", *ARMS, "optimzer=sgd"])
    out, err = capfd.readouterr()
    document = json.loads(out)
    check("decide", document)
    assert code == document["exit_code"] == 2 and document["decision"] is None
    assert err == f"error: {document['error']}\n" and "did you mean 'optimizer'?" in err


def test_a_decision_is_what_its_file_has(tmp_path, monkeypatch, capfd):
    """All runs are on disk already."""
    monkeypatch.chdir(tmp_path)
    for cell in compose_grid(["-m", *WORDS, *ARMS, "seed=1,2,3"]).cells:
        accuracy = 0.5 + 0.3 * (cell.config["optimizer"]["name"] == "sgd") + cell.config["seed"] / 1000
        write_finished_run(tmp_path / "outputs", cell.config, make_rows([accuracy]), {})
    code = main(["--json", *WORDS, *ARMS, "--most-seeds", "3", "--looks", "3"])
    out, err = capfd.readouterr()
    document = json.loads(out[out.index("{\n") :])  # after what goes to stderr, but not within pytest
    check("decide", document)
    check("decision", document["decision"])
    assert code == document["exit_code"] == 0 and document["answer"] in out + err
    assert document["file"] == "outputs/decision.json"
    assert document["decision"] == json.loads((tmp_path / "outputs" / "decision.json").read_text())
