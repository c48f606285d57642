"""`sweeper.doctor` through its command line: devices that work, are absent, broken, or compute something else."""

import json
import os
import re
import shutil

import pytest
from conftest import run_module
from json_schema import check

from sweeper.doctor import command as doctor
from sweeper.doctor import facts as checkup
from sweeper.doctor.command import main

GOOD = {
    "name": "a chip",
    "precision": "fp32",
    "losses": {"fp32": [2.0, 1.0, 0.5]},
    "images_per_second": 500.0,
    "batch_size_that_fits": None,
    "kernels": None,
    "gradient_error": 3e-6,
}
ABSENT = {"cuda": "no NVIDIA GPU", "mps": "no MPS", "cpu": None}


@pytest.fixture
def examine(tmp_path, monkeypatch, capsys):
    """`examine(look=…, cuda=…, mps=…, kind="cpu") -> (code, out, document)`: with these answers of the trials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkup, "WRITTEN", 2**20)

    def call(*arguments, kind="cpu", **answers):
        monkeypatch.setattr(doctor, "ask", lambda what: {"look": ABSENT, "cpu": GOOD, **answers}[what])
        monkeypatch.setattr(doctor, "probe_kind", lambda: kind)
        code = main([*arguments])
        out = capsys.readouterr().out
        assert main([*arguments, "--json"]) == code
        document = json.loads(capsys.readouterr().out)
        check("doctor", document)
        return code, out, document

    return call


def device(document, kind):
    return next(device for device in document["devices"] if device["kind"] == kind)


def test_a_cpu_alone_is_enough(examine):
    code, out, document = examine()
    assert code == 0 and document["works"] and document["problems"] == []
    assert "✗ CUDA: no NVIDIA GPU\n" in out and "✗ MPS: no MPS\n" in out and "✓ CPU: a chip, fp32 by default\n" in out
    assert "500 images/s, so an epoch of CIFAR-10 takes 1 min 40 s" in out
    assert "2.000 → 1.000 → 0.500\n" in out and out.rstrip().endswith("✓ training works here, on CPU by default")


def test_losses_are_held_against_the_cpus_each_precision_by_its_own_measure(examine):
    losses = {"fp32": [2.001, 1.0, 0.5], "bf16": [2.03, 1.0, 0.5]}
    cuda = {**GOOD, "precision": "bf16", "losses": losses, "batch_size_that_fits": 3000, "kernels": True}
    code, out, document = examine(look={**ABSENT, "cuda": None}, cuda=cuda)
    found = device(document, "cuda")
    assert code == 0 and found["works"] and document["devices"][0] is found
    assert found["differs_from_cpu"] == pytest.approx({"fp32": 0.0005, "bf16": 0.015})
    assert "0.05 % from the CPU's" in out and "1.5 % from the CPU's" in out
    assert found["batch_size"] == 256 and "up to 3,000 fit by measure" in out
    assert out.rstrip().endswith("on CUDA by default")
    assert "our own kernels don't run" not in out
    cuda = {**cuda, "losses": {"fp32": [2.01, 1.0, 0.5], "bf16": [2.03, 1.0, 0.5]}, "kernels": False}
    code, out, document = examine(look={**ABSENT, "cuda": None}, cuda=cuda)
    assert code == 1 and "✗ CUDA: fp32: the loss differs by 0.5 % from the CPU's" in out
    assert "bf16: the loss differs" not in out and "our own kernels don't run: the GPU is older than Ampere" in out


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([2.0, 2.0, 1.9], "the loss doesn't fall (2.000 to 1.900)"),
        ([2.0, float("nan")], "the loss is no finite number"),
        ([], "the loss is no finite number"),
    ],
)
def test_a_device_that_does_not_learn_does_not_work(examine, losses, words):
    code, out, document = examine(look={**ABSENT, "mps": None}, mps={**GOOD, "losses": {"fp32": losses}})
    assert code == 1 and not device(document, "mps")["works"] and device(document, "cpu")["works"]
    assert f"✗ MPS: fp32: {words}" in out


@pytest.mark.parametrize(
    ("error", "words"), [(0.14, "differ by 14 % from those in float64;"), (float("inf"), "aren't finite;")]
)
def test_a_cpu_with_wrong_gradients_does_not_work(examine, error, words):
    """No other device shows it: the CPU's losses are what theirs are held against."""
    code, out, document = examine(cpu={**GOOD, "gradient_error": error})
    assert code == 1 and not device(document, "cpu")["works"] and len(document["problems"]) == 1
    assert f"✗ CPU: gradients of convolutions {words}" in out


def test_a_device_that_is_present_but_broken_is_told(examine):
    answer = {"error": "RuntimeError: CUDA error: unspecified launch failure"}
    code, out, document = examine(look={**ABSENT, "cuda": None}, cuda=answer)
    found = device(document, "cuda")
    assert code == 1 and found["present"] and not found["works"]
    assert "✗ CUDA: RuntimeError: CUDA error: unspecified launch failure; device=cpu trains meanwhile" in out


def test_a_gpu_that_torch_does_not_see_is_no_absent_one(examine):
    code, out, document = examine(kind="cuda")
    found = device(document, "cuda")
    assert code == 1 and found["present"] and "this machine has one, but no NVIDIA GPU; https://pytorch.org" in out
    assert device(document, "mps") == {**device(document, "mps"), "present": False, "works": None}


def test_no_room_is_a_problem(examine, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=2**20)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    code, out, document = examine()
    assert code == 1 and out.count("✗ outputs") == 2 and "only 1 MiB are free" in document["problems"][0]


def test_json_has_the_documented_fields(examine):
    _, _, document = examine(look={**ABSENT, "mps": None}, mps=GOOD)
    documented = set(re.findall(r"`(\w+)`", doctor.__doc__.partition("Its fields")[2]))
    listed = [item for name in ("devices", "datasets", "extras") for item in document[name]]
    fields = {*document, *(key for item in listed for key in item), *document["machine"], *document["outputs"]}
    assert fields == documented - {"sweeper", "python", "system"} and {"sweeper", "python"} <= set(document["versions"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "b"], "a b: one outputs folder at a time"),
        (["--jsn"], "see python -m sweeper.doctor --help"),
        (["device=cpu"], "device=cpu: the doctor takes an outputs folder alone"),
        (["outputs", "device=cpu", "epochs=1"], "device=cpu epochs=1: the doctor takes an outputs folder alone"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, words):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and error.count("\n") == 1


def test_a_process_that_hangs_or_breaks_off_is_answered_for(monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 0.05)
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (20.0 * doctor.cores(), 0, 0))
    assert doctor.ask("cpu")["error"] == "no answer within 1 s; try it with less other work"
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (0.1, 0, 0))
    assert doctor.ask("cuda")["error"].startswith("no answer within 0 s; is its driver all right")
    monkeypatch.setattr(doctor, "PATIENCE", 60)
    monkeypatch.setattr(doctor.sys, "executable", "/bin/false")
    assert doctor.ask("cpu")["error"] == "the process ended with code 1: nothing was said"


@pytest.mark.slow
def test_this_machine_is_examined_for_real_with_a_gpu_that_is_broken(tmp_path):
    """torch is made to say that it has a GPU, which then doesn't answer."""
    (tmp_path / "sitecustomize.py").write_text(
        "from sweeper.engine import devices\ndevices.kinds_here = lambda: {'cuda': True, 'mps': False, 'cpu': True}\n"
    )
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    done = run_module("doctor", tmp_path / "runs", "--json", cwd=tmp_path, PYTHONPATH=path, CUDA_VISIBLE_DEVICES="")
    document = json.loads(done.stdout)
    check("doctor", document)
    cuda, cpu = device(document, "cuda"), device(document, "cpu")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert cuda["present"] and cuda["works"] is False and "device=cpu trains meanwhile" in cuda["why"]
    assert cpu["works"] and cpu["images_per_second"] > 0 and len(cpu["losses"]["fp32"]) == 3
    assert 0 < cpu["gradient_error"] < doctor.GRADIENTS_AGREE
    assert not (tmp_path / "runs").exists()
