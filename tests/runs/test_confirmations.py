"""The runs of a confirmation are those that a file in the folder of all runs names."""

import threading
import time

import pytest

from sweeper.runs import confirmations as module
from sweeper.runs.confirmations import ConfirmationsByFolder, read_confirmations, record_confirmation
from sweeper.system.errors import BadInput


def test_a_later_confirmation_adds_to_the_earlier_ones(tmp_path):
    outputs = tmp_path / "search"
    record_confirmation(outputs, [outputs / "digits-mlp" / "a", outputs / "digits-mlp" / "b"])
    record_confirmation(outputs, [outputs / "digits-mlp" / "b", outputs / "digits-mlp" / "c"])
    assert read_confirmations(outputs) == {"digits-mlp/a", "digits-mlp/b", "digits-mlp/c"}
    found = ConfirmationsByFolder()
    assert found.have(outputs / "digits-mlp" / "a") and not found.have(outputs / "digits-mlp" / "d")
    assert not found.have(tmp_path / "other" / "digits-mlp" / "a")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"runs": 7}', '{"runs": [7]}', "[" * 100_000])
def test_a_damaged_file_is_refused_and_kept(tmp_path, text):
    """Without it the search's own accuracies would choose other settings."""
    file = tmp_path / "confirmations.json"
    file.write_text(text)
    for use in (read_confirmations, lambda outputs: record_confirmation(outputs, [outputs / "digits-mlp" / "a"])):
        with pytest.raises(BadInput, match=r"confirmations\.json: is damaged; .* which settings it chooses"):
            use(tmp_path)
    assert file.read_text() == text and [*tmp_path.iterdir()] == [file]


def test_a_file_that_can_not_be_read_is_refused(tmp_path):
    (tmp_path / "confirmations.json").mkdir()
    with pytest.raises(BadInput, match="can't be read: Is a directory"):
        read_confirmations(tmp_path)


def test_confirmations_that_are_recorded_at_once_are_all_kept(tmp_path, monkeypatch):
    read = module.read_confirmations

    def slowly(outputs):
        found = read(outputs)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(module, "read_confirmations", slowly)
    threads = [threading.Thread(target=record_confirmation, args=(tmp_path, [tmp_path / "g" / n])) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(tmp_path) == {"g/a", "g/b", "g/c"}


def test_what_is_recorded_already_needs_no_writing(tmp_path, monkeypatch):
    """As in a folder that can only be read."""
    runs = [tmp_path / "g" / "a"]
    record_confirmation(tmp_path, runs)
    monkeypatch.setattr(module, "one_writer", None)
    record_confirmation(tmp_path, runs)
