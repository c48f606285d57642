"""The runs of a confirmation are those that a file in the folder of all runs names."""

import pytest

from sweeper.runs.confirmations import ConfirmationsByFolder, read_confirmations, record_confirmation


def test_a_later_confirmation_adds_to_the_earlier_ones(tmp_path):
    outputs = tmp_path / "search"
    record_confirmation(outputs, [outputs / "digits-mlp" / "a", outputs / "digits-mlp" / "b"])
    record_confirmation(outputs, [outputs / "digits-mlp" / "b", outputs / "digits-mlp" / "c"])
    assert read_confirmations(outputs) == {"digits-mlp/a", "digits-mlp/b", "digits-mlp/c"}
    found = ConfirmationsByFolder()
    assert found.have(outputs / "digits-mlp" / "a") and not found.have(outputs / "digits-mlp" / "d")
    assert not found.have(tmp_path / "other" / "digits-mlp" / "a")


@pytest.mark.parametrize("text", ["", "[]", '{"runs": 7}', '{"runs": [7]}', "[" * 100_000])
def test_a_file_of_another_form_names_no_run(tmp_path, text):
    (tmp_path / "confirmations.json").write_text(text)
    assert not read_confirmations(tmp_path)
