"""A run takes the energy of its GPU meanwhile, its share if several ran; without NVIDIA's library none is known."""

import json
import sys
from types import SimpleNamespace

import pytest
from conftest import TINY
from forked_children import run_all_forked
from made_runs import make_run

import sweeper
from sweeper.aggregate.summary import summarize
from sweeper.config.grid import compose_grid
from sweeper.runs.results import read_results
from sweeper.train import energy
from sweeper.train.energy import GpuMeter, RunEnergy, open_meter


class NVMLError(Exception):
    pass


@pytest.fixture
def gpu(monkeypatch):
    """A stand-in for NVIDIA's library with one GPU: its counter in mJ and its power in mW; None isn't supported."""
    told = SimpleNamespace(energy=5_000_000, power=None, now=100.0)

    def answer(name):
        def ask(handle):
            assert handle == "GPU-1234"
            if (value := getattr(told, name)) is None:
                raise NVMLError
            return value

        return ask

    library = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=answer("energy"),
        nvmlDeviceGetPowerUsage=answer("power"),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(energy, "_uuid", lambda: "1234")
    monkeypatch.setattr("sweeper.train.energy.time.perf_counter", lambda: told.now)
    return told


def test_a_run_takes_what_the_counter_says_and_its_share_beside_others(gpu):
    run = RunEnergy(open_meter("cuda"), None)
    gpu.energy, gpu.now = gpu.energy + 3_600_000_000, 110.0  # 3.6 MJ, a kWh
    run.count(sharing=1)
    assert run.kwh == pytest.approx(1)
    gpu.energy, gpu.now = gpu.energy + 3_600_000_000, 120.0
    run.count(sharing=4)
    assert run.kwh == pytest.approx(1.25)


def test_the_gpu_is_asked_once_a_second_and_at_the_end(gpu):
    run = RunEnergy(open_meter("cuda"), None)
    gpu.energy, gpu.now = gpu.energy + 1000, gpu.now + 0.5
    run.count(1)
    assert run.kwh == 0
    run.count(1, at_once=True)
    assert run.kwh == pytest.approx(1 / 3.6e6)


def test_without_a_counter_the_power_is_summed_over_time(gpu):
    gpu.energy, gpu.power = None, 100_000
    run = RunEnergy(open_meter("cuda"), None)
    gpu.power, gpu.now = 300_000, gpu.now + 10
    run.count(1)
    assert run.kwh == pytest.approx(200 * 10 / 3.6e6)


@pytest.mark.parametrize(
    ("environment", "before"),
    [
        ({"device_seconds": 50.0, "energy_kwh": 0.25}, 0.25),
        ({"device_seconds": 50.0}, None),  # a part of the run wasn't measured
        ({"device_seconds": 50.0, "energy_kwh": "much"}, None),
        ({}, 0),
    ],
)
def test_a_resumed_run_goes_on_with_what_is_known(gpu, environment, before):
    assert RunEnergy(open_meter("cuda"), {"environment": environment}).kwh == before


def test_a_gpu_that_no_longer_answers_leaves_the_energy_unknown(gpu):
    run = RunEnergy(open_meter("cuda"), None)
    gpu.energy = None
    run.count(1, at_once=True)
    assert run.kwh is None
    gpu.energy = 10
    run.count(1, at_once=True)
    assert run.kwh is None


def test_there_is_no_meter_without_a_gpu_the_library_or_an_answer(gpu, monkeypatch):
    assert isinstance(open_meter("cuda"), GpuMeter)
    assert open_meter("cpu") is open_meter("mps") is None
    gpu.energy = None  # and no power
    assert open_meter("cuda") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_meter("cuda") is None and RunEnergy(open_meter("cuda"), None).kwh is None


def test_the_record_and_the_table_have_a_runs_cost_and_no_energy_without_a_meter(tmp_path):
    done = run_all_forked("train", *TINY, "model=mlp", "optimizer=sgd", "price_per_hour=3600", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/run.json"))
    environment = record["environment"]
    assert environment["cost"] == pytest.approx(environment["device_seconds"]) and "energy_kwh" not in environment
    loaded = sweeper.load_results(tmp_path / "outputs")
    assert loaded.columns[-1] == "cost" and loaded.cost.tolist() == [environment["cost"]]


def test_the_price_is_no_part_of_the_identity(refusal):
    free, paid = (compose_grid(["dataset=digits", *words]).cells[0] for words in ([], ["price_per_hour=2.5"]))
    assert free.directory == paid.directory
    assert refusal("dataset=digits", "price_per_hour=-1") == "price_per_hour=-1: must be from 0"


def test_energy_and_cost_are_the_tables_last_columns_and_set_no_rows_apart(tmp_path):
    for seed, kwh in ((1, 0.5), (2, 0.25)):
        make_run(tmp_path, seed=seed, environment={"device_seconds": 60.0, "energy_kwh": kwh, "cost": 2 * kwh})
    make_run(tmp_path, seed=3, environment={"device_seconds": 60.0})
    make_run(tmp_path, seed=4, environment={"device_seconds": 0.1, "energy_kwh": 0.1, "cost": 0.1})  # it was killed
    results = read_results([tmp_path])
    assert results.columns()[-2:] == ["energy_kwh", "cost"]
    frame = sweeper.load_results(tmp_path)
    assert frame.energy_kwh.fillna(-1).tolist() == [0.5, 0.25, -1, -1] and frame.cost.fillna(-1).tolist() == [
        1,
        0.5,
        -1,
        -1,
    ]
    summary = summarize(results.runs)
    assert len(summary.rows) == 1 and not {"energy_kwh", "cost"} & {*summary.columns()}
    for path in tmp_path.glob("*/*"):
        make_run(tmp_path / "plain", seed=len(path.name))
    assert not {"energy_kwh", "cost"} & {*read_results([tmp_path / "plain"]).columns()}
