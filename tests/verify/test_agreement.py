"""A repeat agrees to the bit where that is promised, else as near as two seeds lie."""

import pytest

from sweeper.verify.agreement import AGREES, DIFFERS, OPEN, Trained, judge, same_bits

CPU = {
    "device": "cpu",
    "device_name": "AMD",
    "threads": 1,
    "precision": "fp32",
    "commit": "0123",
    "deterministic": False,
}
SEEDS = [[0.80, 0.82], [0.70, 0.74]]  # 13.6 points at 95 %


def trained(accuracy, status="completed", loss=0.5, seconds=1.0, **environment):
    record = {
        "status": status,
        "environment": {**CPU, "versions": {"torch": "2.8.0", "sweeper": "0.1.0"}, **environment},
        "result": {"final_test_accuracy": accuracy if status == "completed" else None},
        "error": "out of memory" if status == "failed" else None,
    }
    return Trained(record, [{"train_loss": loss, "test_accuracy": accuracy, "train_seconds": seconds}])


def test_equal_bits_agree_whatever_the_time():
    answer = judge(trained(0.9), trained(0.9, seconds=2.0, device="cuda"), [], 1)
    assert (answer.verdict, answer.bound) == (AGREES, 0.0) and answer.why.endswith("equal to the bit")


def test_other_bits_disagree_where_all_is_the_same():
    answer = judge(trained(0.9), trained(0.9, loss=0.6), SEEDS, 1)
    assert answer.verdict == DIFFERS and "must be equal to the bit" in answer.why


@pytest.mark.parametrize(
    "changed",
    [
        {"device": "cuda"},
        {"device_name": "Intel"},
        {"threads": 2},
        {"versions": {"torch": "2.9.0", "sweeper": "0.1.0"}},
        {"versions": {"torch": "2.8.0", "sweeper": "0.2.0"}},
        {"commit": "4567"},
        {"earlier": [{"threads": 4}]},
        {"code": {"myopt": "1"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_bits_are_promised_by_the_same_circumstances_alone(changed):
    assert same_bits(trained(0.9).record, trained(0.9).record)
    assert not same_bits(trained(0.9).record, trained(0.9, **changed).record)


def test_bits_of_a_gpu_are_promised_if_deterministic_and_of_uncommitted_code_never():
    for promised, facts in ((False, {}), (True, {"deterministic": True})):
        one = trained(0.9, device="cuda", **facts).record
        assert same_bits(one, one) is promised
    dirty = trained(0.9, commit="0123-dirty").record
    assert not same_bits(dirty, dirty)


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.77, AGREES), (0.76, DIFFERS), (1.0, AGREES)])
def test_elsewhere_it_agrees_as_near_as_two_seeds_lie(accuracy, verdict):
    answer = judge(trained(0.9), trained(accuracy, device_name="Intel"), SEEDS, 1)
    assert answer.verdict == verdict and answer.bound == pytest.approx(0.1361, abs=1e-4)
    assert "two seeds lie within 13.61 points in 95 % of cases (AMD, fp32; here Intel, fp32)" in answer.why


def test_the_error_is_that_of_the_whole_sample():
    alone, of_five = (judge(trained(0.9), trained(0.8, threads=2), SEEDS, n) for n in (1, 5))
    assert of_five.bound > alone.bound and "in 99 % of cases" in of_five.why


def test_diverged_runs_agree_by_their_status():
    diverged = trained(0.1, "diverged")
    assert judge(diverged, trained(0.1, "diverged", loss=9), SEEDS, 1).verdict == AGREES
    assert judge(diverged, trained(0.9), SEEDS, 1).verdict == DIFFERS
    assert judge(trained(0.9), diverged, SEEDS, 1).verdict == DIFFERS


def test_what_can_not_be_judged_is_said():
    failed = judge(trained(0.9), trained(0.9, "failed"), SEEDS, 1)
    assert (failed.verdict, failed.why) == (OPEN, "here it is failed: out of memory")
    alone = judge(trained(0.9), trained(0.8, threads=2), [[], [0.7]], 1)
    assert alone.verdict == OPEN and "shows how far seeds scatter" in alone.why
