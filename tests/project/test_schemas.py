"""The JSON Schemas of docs/schemas say what this code writes and reads; real documents are checked where they arise."""

import json

import pytest
import yaml
from conftest import REPOSITORY
from json_schema import FOLDER, check, find_faults, load_schema

from docs import editor_schemas
from sweeper.runs.checks import NUMBER, Damaged, Kind
from sweeper.runs.metrics import FROM_RESULT, check_figures
from sweeper.runs.record import SCHEMA_VERSION
from sweeper.runs.rows import FROM_CONFIG
from sweeper.runs.status import RECORDED
from sweeper.system.limits import LARGEST_INTEGER, MOST_EPOCHS, MOST_SECONDS
from sweeper.train.document import FROM_ROW

# No 1.0: a schema takes it for an integer, the tool does not.
VALUES = [None, True, "x", "inf", [], {}, -1, -0.5, 0, 0.5, 1, 1.5, 2, 10**12]
VALUES += [MOST_EPOCHS - 1, MOST_EPOCHS, MOST_SECONDS, MOST_SECONDS + 1, LARGEST_INTEGER - 1, LARGEST_INTEGER]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_each_is_a_schema_that_is_described(path):
    assert list(find_faults(load_schema(path.stem), [])), "a list is no document"
    assert f"schemas/{path.name}" in (REPOSITORY / "docs" / "agents.md").read_text(encoding="utf-8")


def test_a_records_figures_are_those_that_are_read():
    described = load_schema("run")["properties"]["result"]["properties"]
    assert set(described) == {"epochs_done", "steps", *FROM_RESULT}


@pytest.mark.parametrize("column", FROM_RESULT)
def test_a_records_figure_is_described_as_it_is_checked(column):
    schema = load_schema("run")["properties"]["result"]["properties"][column]
    for value in VALUES:
        if FROM_RESULT[column] is NUMBER and value == LARGEST_INTEGER:
            continue  # that an integer has 63 bits and a fraction any size can't be said in a schema
        assert (not any(find_faults(schema, value))) == _is_read(column, value), value


def _is_read(column: str, value: object) -> bool:
    try:
        check_figures({column: value})
    except Damaged:
        return False
    return True


def test_a_records_other_parts_are_those_that_are_read():
    schema = load_schema("run")["properties"]
    assert schema["schema_version"] == {"const": SCHEMA_VERSION}
    assert schema["status"]["enum"] == [status.value for status in RECORDED]
    config = schema["config"]["properties"]
    for name in ("seed", "epochs", "batch_size"):
        kind: Kind = FROM_CONFIG[name][1]
        for value in (None, True, "x", -1, 0, 1, 1.5, MOST_EPOCHS):
            assert (not any(find_faults(config[name], value))) == (value is not None and kind.fits(value)), value


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("tests/golden/outputs/*/*/run.json")), ids=str)
def test_an_old_record_is_what_the_schema_says(path):
    check("run", json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", FROM_ROW[:-1])
def test_one_figure_has_one_description(name):
    of_a_run = load_schema("train")["properties"]["runs"]["items"]["properties"][name]
    assert of_a_run.get("maximum") == load_schema("run")["properties"]["result"]["properties"][name].get("maximum")


def test_the_editors_schemas_are_those_of_the_code():
    written = {path.stem: path.read_text(encoding="utf-8") for path in editor_schemas.FOLDER.iterdir()}
    now = {name: editor_schemas.text(schema) for name, schema in editor_schemas.schemas().items()}
    assert written == now, "python docs/editor_schemas.py writes them anew"


@pytest.mark.parametrize("group", sorted(editor_schemas.schemas()))
def test_our_own_yaml_is_what_the_editors_schemas_say(group):
    schema = editor_schemas.schemas()[group]
    for path in sorted((REPOSITORY / "conf" / group).glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(find_faults(schema, document)) == [], path
        assert list(find_faults(schema, document | {"_partial_": False, "epochs": "many"})), path
