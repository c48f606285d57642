"""A drawn run is trained by its own configuration and judged; what can't be trained is said."""

import json
import shutil

import pytest
from json_schema import check
from made_folder import CODE, rewrite, write_composed
from made_runs import change_record

from sweeper.verify import repeat as module
from sweeper.verify.command import main
from sweeper.verify.folder import read_folder

SGD, LION = (["optimizer=sgd"], ["optimizer=lion"])


@pytest.fixture
def theirs(tmp_path):
    for words, accuracies in ((SGD, (0.80, 0.82)), (LION, (0.70, 0.71))):
        for seed, accuracy in enumerate(accuracies, 1):
            write_composed(tmp_path / "theirs", [*words, f"seed={seed}"], (0.5, accuracy), device_name="Theirs")
    return tmp_path / "theirs"


@pytest.fixture
def trained(monkeypatch, theirs, tmp_path):
    """In place of training: the run that the command asks for ends with a given accuracy. Tells the commands."""

    def train(accuracy, code=0):
        asked = []

        def run(command):
            asked.append(command)
            optimizer, seed = (word.partition("=")[2] for word in command if word.startswith(("optimizer=", "seed=")))
            (source,) = theirs.glob(f"*/{optimizer}-seed{seed}-*")
            if accuracy is not None:
                to = tmp_path / "here" / source.relative_to(theirs)
                shutil.copytree(source, to, dirs_exist_ok=True)
                change_record(to, environment__device_name="Ours", result__final_test_accuracy=accuracy)
                rewrite(to, test_accuracy=(2, accuracy), train_accuracy=(2, accuracy))
            return code

        monkeypatch.setattr(module, "run", run)
        return asked

    return train


def verdicts(theirs, tmp_path, size=4, say=lambda text: None):
    runs, _ = read_folder([str(theirs)])
    code, sample = module.repeat(runs, size, tmp_path / "here", "k", False, ["device=cpu"], say)
    return code, {one["run"].rpartition("/")[2].rpartition("-")[0]: one["verdict"] for one in sample.get("runs", [])}


def test_each_drawn_run_is_judged_by_its_task_without_itself(theirs, tmp_path, trained):
    asked = trained(0.80)
    lines = []
    code, found = verdicts(theirs, tmp_path, say=lines.append)
    assert code == 0 and len(asked) == 4 and set(found) == {"sgd-seed1", "sgd-seed2", "lion-seed1", "lion-seed2"}
    assert lines[0] == "sample: 4 runs, drawn by --key k; 4 s of training, by the records"
    # sgd-seed1 is repeated to the bit; beside lion's, only one seed of sgd is left
    assert found["sgd-seed1"] == "agrees" and any("equal to the bit" in line for line in lines)
    assert found["sgd-seed2"] == "agrees" and any("two seeds lie within" in line for line in lines)
    assert {"device=cpu", "device.threads=1", "optimizer=sgd"} <= set(asked[0]) | set(asked[1]) | set(asked[2])


def test_json_has_the_sample_that_was_drawn(theirs, tmp_path, trained, capsys):
    trained(0.80)
    command = [str(theirs), "--sample", "4", "--into", str(tmp_path / "here"), "device=cpu", "--json"]
    main(command)
    document = json.loads(capsys.readouterr().out)
    check("verify", document)
    assert len(document["sample"]["runs"]) == 4 and document["sample"]["key"]
    trained(None, 2)
    main([*command[:3], "--json"])
    document = json.loads(capsys.readouterr().out)
    check("verify", document)
    assert {one["verdict"] for one in document["sample"]["runs"]} == {"not judged"} and not document["holds"]


def test_one_whose_accuracy_was_raised_does_not_widen_its_own_band(theirs, tmp_path, trained):
    (raised,) = theirs.glob("*/sgd-seed1-*")
    for file in (raised / "run.json", raised / "metrics.csv"):
        file.write_text(file.read_text().replace("0.8", "0.99"))
    write_composed(theirs, [*SGD, "seed=3"], (0.5, 0.81))
    trained(0.80)
    assert verdicts(theirs, tmp_path, 5)[1]["sgd-seed1"] == "doesn't agree"


def test_a_signal_ends_it_and_what_was_not_trained_is_not_judged(theirs, tmp_path, trained):
    asked = trained(None, 130)
    assert verdicts(theirs, tmp_path) == (130, {}) and len(asked) == 1
    trained(None, 2)
    assert set(verdicts(theirs, tmp_path)[1].values()) == {"not judged"}
    for record in theirs.glob("*/*"):
        change_record(record, environment={**CODE, "overrides": ["optimizer._target_=os.system"]})
    asked = trained(0.8)
    assert set(verdicts(theirs, tmp_path, 1)[1].values()) == {"not judged"} and not asked
