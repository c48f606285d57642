"""Whatever is typed or stands in a file, the answer is a result or a line, never a traceback.

The command line's own `main` is called in this process; what would come after all its checks is left out, so a case
takes milliseconds.
"""

import contextlib
import io
import os
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sweeper.config.grid import compose_grid
from sweeper.runs.identity import flat
from sweeper.runs.metrics import METRICS
from sweeper.train import command as train
from tests.faults.fuzz_readers import READERS, check_metrics, check_record

every = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
every["phases"] = [Phase.explicit, Phase.generate, Phase.shrink]
SHORT = settings(max_examples=4, derandomize=True, **every)
LONG = settings(max_examples=1000, print_blob=True, **every)

GROUPS = ("device", "dataset", "model", "optimizer", "schedule", "noise", "tracking", "experiment", "hydra/launcher")
CHOICES = ("auto", "cpu", "digits", "cifar10", "mlp", "resnet18", "sgd", "lion", "cosine", "none", "symmetric", "human")
CHOICES += ("grid", "packed", "joblib", "loin", "..", "../../etc/passwd", "/etc/passwd", "null", "[sgd,lion]", "")
OPTIONS = sorted(dict(flat(compose_grid(["dataset=digits"]).cells[0].config)))
OPTIONS += ["lr_factor", "weight_decay_factor", "optimizer.betas[0]", "optimizer.momentum", "hydra.launcher.n_jobs"]
OPTIONS += ["hydra.launcher.lanes", "optimiser", "seeed", "hydra.run.dir", "hydra.verbose", "a.b.c", ".", "_target_"]

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(2**63), 2**64, 1e308, 1e-320, "1e999", "-0"])
WORDS = [
    "true",
    "null",
    "",
    "nan",
    "inf",
    "''",
    '"',
    "'",
    "${seed}",
    "${",
    "${oc.env:HOME}",
    "{a:1}",
    "[1,[2]]",
    "1,2,3",
]
WORDS += [
    "range(1,3)",
    "choice(1,2)",
    "glob(*)",
    "interval(0,1)",
    "sort(3,1)",
    "😀",
    "\x00",
    "a\nb",
    "../..",
    "x" * 300,
]
WORDS += ["CON", "=1+1", "<script>", "\ud800", "\u202e", "~", "-m", "--", "@", "\\", "%s", "range(1,1e9)", "0x10"]
words = st.sampled_from(WORDS)
values = numbers.map(str) | words | st.text(max_size=12)
overrides = st.builds(
    "{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), st.sampled_from(OPTIONS), values
) | st.builds("{}={}".format, st.sampled_from(GROUPS), st.sampled_from(CHOICES) | values)
arguments = st.lists(overrides | values, min_size=1, max_size=4)


def call_main(typed: list[str]) -> tuple[int, str]:
    """Exit code and what stood on stderr."""
    errors = io.StringIO()
    before, sys.argv = sys.argv, ["train.py", *typed]
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            code = train.main()
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        sys.argv = before
    return code, errors.getvalue()


@pytest.fixture
def checks_only(monkeypatch, tmp_path):
    """`main` as far as everything without torch is checked, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "carry_out", lambda grid, asked, begin: 0)
    monkeypatch.setattr(train, "ask_hydra", lambda arguments: None)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def check_typed(typed: list[str], multirun: bool) -> None:
    try:
        code, errors = call_main(["-m", *typed] if multirun else typed)
    except Exception:
        raise AssertionError(f"{typed!r}\n{traceback.format_exc()}") from None
    assert code in (0, 2), (typed, errors)
    if code == 2:
        assert errors.startswith("error: ") and errors.count("\n") == 1, (typed, errors)
        assert len(errors) < 3000 + 10 * sum(map(len, typed)), typed
    assert os.listdir(".") == []


@pytest.mark.slow
@SHORT
@given(arguments, st.booleans())
@example(["seed=" + "9" * 5000], False)
@example(["seed=" + "9" * 300], False)
@example(["tag='\udcff'"], False)
@example(["seed=range(1,1000000000)"], True)
@example(["seed=range(1,5,0)"], True)
@example(["~seed"], False)
@example(["device=glob(*)"], True)
@example(["device=interval(0,1)"], False)
def test_some_command_lines(checks_only, typed, multirun):
    check_typed(typed, multirun)


@pytest.mark.faults
@LONG
@given(arguments, st.booleans())
@example(["dataset=digits", f"seed={','.join(map(str, range(1000)))}"], True)
def test_many_command_lines(checks_only, typed, multirun):
    check_typed(typed, multirun)


HEADER = ",".join(METRICS).encode() + b"\n"
WHOLE = b'{"schema_version": 1, "status": "running", "config": {}, "environment": {}, "result": null}'
record_bytes = (
    st.binary(max_size=300)
    | st.builds(lambda at, junk: WHOLE[:at] + junk + WHOLE[at:], st.integers(0, len(WHOLE)), st.binary(max_size=20))
    | st.sampled_from([b"[" * 10**5, b'{"a":' * 10**5, b"9" * 10**5, b"\xef\xbb\xbf" + WHOLE, b"\xff\xfe" + WHOLE])
)
cells = st.sampled_from(["", "1", "0.5", "nan", "inf", "1e999", "-1", "1_0", "١", " 1", "0x1", "\x00", "1" * 500])
lines = st.lists(cells | st.text(max_size=5), min_size=len(METRICS) - 1, max_size=len(METRICS) + 1).map(",".join)
metrics_bytes = st.binary(max_size=300) | st.lists(lines, max_size=4).map(
    lambda rows: HEADER + "\n".join(rows).encode("utf-8", "replace")
)


@settings(SHORT, max_examples=100)
@given(record_bytes, metrics_bytes)
def test_some_contents_of_files(tmp_path, record, metrics):
    check_record(tmp_path, record)
    check_metrics(tmp_path, metrics)


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "corpus").glob("*/*")), ids=lambda file: file.name)
def test_what_the_fuzzer_has_found_is_read(tmp_path, file):
    """The inputs from which `make fuzz` begins, which reach each line of the readers that it has reached."""
    READERS[file.parent.name](tmp_path, file.read_bytes())


@pytest.mark.faults
@settings(LONG, max_examples=20_000)
@given(record_bytes, metrics_bytes)
def test_many_contents_of_files(tmp_path, record, metrics):
    check_record(tmp_path, record)
    check_metrics(tmp_path, metrics)
