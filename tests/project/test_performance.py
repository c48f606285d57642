"""What docs/performance.md says of lanes is what the recorded files say, and no GPU is timed that isn't there."""

import csv
import os
import re
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY

from benchmarks import scaling
from benchmarks.kernels import IDLE
from benchmarks.scaling import first_gpus
from benchmarks.sweeps import Failed
from sweeper.train.launchers.gpu_processes import SIMULATED

PAGE = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
RESULTS = REPOSITORY / "benchmarks" / "results"
GATHERED = ("classifier and loss", "augmentation", "workspaces and zeros", "other")


def read(name):
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_by_kernel_is_the_files_sums():
    _, page = PAGE.split("**A packed step by kernel**")
    rows = re.findall(r"^\| (.+?) \| ?([\d,]*) \| ?([\d,]*) \| ([\d,]+) \| ([\d.]+) % \|$", page, re.MULTILINE)
    kernels = read("nvidia-h200-2026-11-29-kernels.csv")
    wall = float(kernels[0]["step_us"])
    told = 0
    for kind, launches, duration, share, percent in rows:
        parts = GATHERED if kind.startswith(GATHERED[0]) else (kind,)
        mine = [row for row in kernels if row["kind"] in parts]
        told += len(mine)
        part = sum(float(row["share_us"]) for row in mine)
        assert float(share.replace(",", "")) == pytest.approx(part, abs=0.51), kind
        assert float(percent) == pytest.approx(100 * part / wall, abs=0.51 if "." not in percent else 0.051), kind
        if kind != IDLE:
            assert float(launches) == pytest.approx(sum(float(row["launches"]) for row in mine), abs=0.51), kind
            assert float(duration.replace(",", "")) == pytest.approx(
                sum(float(row["duration_us"]) for row in mine), abs=0.51
            ), kind
    assert told == len(kernels)  # none is left out
    assert f"{wall:,.0f} µs" in page


def test_the_peers_and_the_readmes_figure_are_the_files():
    rows = {row["name"]: row for row in read("nvidia-h200-2026-11-30-peers.csv")}
    names = ("plain", "tuned", "sweeper, one run", "sweeper, packed")
    for name, row in zip(names, (rows[n] for n in ("plain", "tuned", "sweeper", "packed")), strict=True):
        told = [
            f"{float(row[column]):.{digits}f}" for column, digits in (("seconds_per_epoch", 3), ("ratio_to_plain", 2))
        ]
        seconds, plain = told
        images, tuned = f"{float(row['images_per_second']):,.0f}", f"{float(row['ratio_to_tuned']):.2f}"
        assert re.search(rf"^\| {name}.* \| {seconds} \| {images} \| {plain} \| {tuned} \|$", PAGE, re.MULTILINE), name
    packed, ours = (float(rows[name]["seconds_per_epoch"]) for name in ("packed", "sweeper"))
    assert f"By this table 15 runs of 200 epochs take {(3000 * packed + 20) / 60:.0f} minutes (calculated" in PAGE
    said = f"trains an epoch of ResNet-18 in {ours:.2f} s, a sixth of a plain PyTorch loop's"
    assert said in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert 6 <= float(rows["sweeper"]["ratio_to_plain"]) < 7


def test_speeds_of_lanes_are_the_files():
    sgd = {row["lanes"]: float(row["images_per_second"]) for row in read("nvidia-h200-2026-11-29-lanes.csv")[:4]}
    lanes, speeds = re.findall(r"^\| SGD in ([\d, ]+) lanes.*\| – \| ([\d, ]+) \|$", PAGE, re.MULTILINE)[0]
    assert dict(zip(lanes.split(", "), (float(s.replace(",", "")) for s in speeds.split(", ")), strict=True)) == (
        pytest.approx(sgd, abs=0.51)
    )


def numbers(texts):
    return [float(text.replace(",", "")) for text in texts]


def test_one_network_of_all_lanes_is_as_slow_as_the_file_says():
    page = (REPOSITORY / "docs" / "tried.md").read_text(encoding="utf-8")
    _, page = page.split("## Lanes as one network")
    names = {"mlp": "digits, MLP", "cnn": "digits, CNN", "resnet20": "ResNet-20"}
    rows = [r for r in read("nvidia-h200-2026-11-29-stacked.csv") if (r["lanes"], r["precision"]) == ("5", "bf16")]
    for row in rows:
        cells = re.search(rf"^\| {names[row['model']]} \| (.+) \|$", page, re.MULTILINE)[1].split(" | ")
        ways = [row[f"{way}_us"] for way in ("stacked", "nhwc", "streams", "sequence")]
        assert [cell.replace(",", "") for cell in cells] == [
            f"{float(us):.{'0' if row['model'] == 'resnet20' else '1'}f}" if us else "–" for us in ways
        ]
    slower = [100 * (1 / float(row["ratio"]) - 1) for row in rows]
    assert f"{min(slower):.0f} to {max(slower):.0f} % longer" in page and len(rows) == len(names)


def test_five_lanes_of_small_networks_are_the_files():
    seconds = {
        (row["commit"], row["work"], row["lanes"]): float(row["epoch_seconds"])
        for row in read("nvidia-h200-2026-11-29-host-lanes.csv")
        if row["bursts"] == "usual"
    }
    rows = re.findall(r"^\| digits, (MLP|CNN) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert [network for network, *_ in rows] == ["MLP", "CNN"]
    for network, alone, before, lanes, gain in rows:
        work = f"digits {network.lower()}"
        one, old, new = (
            seconds[key] for key in (("2cdf150", work, "1"), ("6ebf640", work, "5"), ("2cdf150", work, "5"))
        )
        assert numbers((alone, before, lanes)) == pytest.approx([one, old, new], abs=0.000051)
        assert float(gain) == pytest.approx(one / new, abs=0.051)


def test_speeds_of_models_in_lanes_are_the_files():
    rows = read("nvidia-h200-2026-11-29-lanes-models.csv")
    page = " ".join(PAGE.split())
    said = re.search(
        r"Three lanes of it train (\S+) images/s and five (\S+), against (\S+) alone.*?: ([\d.]+) times",
        page,
    )
    three, five, alone, gain = numbers(said.groups())
    small = {row["lanes"]: float(row["images_per_second"]) for row in rows if row["model"] == "resnet20"}
    assert {"3": three, "5": five, "1": alone} == pytest.approx(small, abs=0.51)
    assert gain == pytest.approx(five / alone, abs=0.0051)
    told = re.search(
        r"of ResNet-18 trained (\S+) and (\S+) images/s at commit `6ebf640`, (\S+) and (\S+) at `2cdf150`", page
    )
    large = sorted(float(row["images_per_second"]) for row in rows if row["model"] == "resnet18")
    assert sorted(numbers(told.groups())) == pytest.approx(large, abs=0.51)


def test_gpus_that_there_are_not_are_not_timed(monkeypatch):
    monkeypatch.setenv(SIMULATED, "2")
    assert first_gpus(1, "cuda") == {"CUDA_VISIBLE_DEVICES": "0"}
    assert first_gpus(2, "cuda") == {"CUDA_VISIBLE_DEVICES": "0,1"}
    with pytest.raises(Failed, match="there are 2 GPUs"):
        first_gpus(3, "cuda")


@pytest.mark.slow
def test_what_a_benchmark_has_started_ends_with_it(tmp_path):
    """And on a CPU, where nothing is chosen, it doesn't begin."""
    there = tmp_path / "pid"
    child = f"import os, time; open({str(there)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = (
        "import sys, time; from benchmarks.sweeps import started\n"
        f"with started([sys.executable, '-c', {child!r}]): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY) as benchmark:
        while not (there.is_file() and there.read_text()):
            time.sleep(0.05)
        benchmark.terminate()
    assert benchmark.returncode == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(there.read_text()), 0)
    words = [sys.executable, "-m", "benchmarks.scaling", "--device", "cpu", "--only", "auto"]
    told = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1 and told.stderr == "auto: a CPU trains one run at a time\n"


def test_what_auto_chooses_is_no_table(monkeypatch, capsys):
    row = {"part": "auto", "lanes": 3, "runs": 5, "loss_percent": None}
    monkeypatch.setattr(scaling, "by_auto", lambda *given: [row])
    monkeypatch.setattr(sys, "argv", ["scaling", "--device", "cpu", "--only", "auto"])
    assert scaling.main() == 0
    assert capsys.readouterr().out.splitlines() == [scaling.auto_line(row)]


def test_many_runs_are_the_files_and_within_their_bounds():
    """Seconds: the first of 300 begins within 10, another costs 0.2, 3,000 are answered in 20 and reported in 10."""
    _, page = PAGE.split("## Many runs")
    rows = {row["what"]: float(row["seconds"]) for row in read("2-cores-of-an-amd-epyc-2026-11-30-many-runs.csv")}
    bounds = {
        "first run begins": (1, 10),
        "each further run, beside its training": (3, 0.2),
        "finished runs answered": (1, 20),
        "report, 200 epochs": (1, 10),
    }
    for what, (digits, most) in bounds.items():
        name = what.replace(",", "`?,")
        assert re.search(rf"^\| `?(?:sweeper )?{name}.*? \| {rows[what]:.{digits}f} \|", page, re.MULTILINE), what
        assert rows[what] <= most


def test_set_up_and_two_gpus_are_the_files():
    rows = read("nvidia-h200-2026-11-29-set-up-gpus.csv")
    gpus = {row["gpus"]: float(row["images_per_second"]) for row in rows if row["part"] == "gpus"}
    two, one, ratio = re.search(r"(\S+) images/s against (\S+) by one.*?\*\*([\d.]+) times", PAGE, re.DOTALL).groups()
    assert numbers((two, one)) == pytest.approx([gpus["2"], gpus["1"]], abs=0.51)
    assert float(ratio) == pytest.approx(gpus["2"] / gpus["1"], abs=0.0051)
    five = [row for row in rows if row["lanes"] == row["runs"] == "5" and row["setup_seconds"]]
    cold, beside, alone, small, digits = (float(row["setup_seconds"]) for row in five)
    assert [row["model"] for row in five] == [*["resnet18"] * 3, "resnet20", "digits mlp"]
    said = re.search(
        r"all train (\S+) s after the command,\s+(\S+) s beside.*?ResNet-20 after (\S+) s, five of digits "
        r"after (\S+) s",
        PAGE,
        re.DOTALL,
    )
    assert numbers(said.groups()) == pytest.approx([alone, beside, small, digits], abs=0.051)
    assert f"takes {cold:.1f} s" in PAGE


def test_what_lanes_auto_takes_for_small_networks_is_the_files():
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read("nvidia-h200-2026-11-29-lanes-auto-small.csv"):
        groups.setdefault((row["work"], row["beside"]), []).append(row)
    said = {"digits mlp": "digits, MLP", "resnet20": "ResNet-20"}
    for (work, beside), rows in groups.items():
        speeds = {row["lanes"]: float(row["images_per_second"]) for row in rows if row["part"] == "lanes"}
        cells = ", ".join(f"{speeds[n]:,.0f}" if n in speeds else "–" for n in ("1", "3", "5", "6", "8"))
        chosen = [f"{row['lanes']}, loses {float(row['loss_percent']):.1f} %" for row in rows if row["part"] == "auto"]
        name = said[work] + ", beside other measurements" * (beside != "nothing")
        (line,) = [line for line in PAGE.splitlines() if cells in line]
        assert line.startswith(f"| {name}") and line.endswith(f"| {' | '.join(chosen)} |")
    alone = {
        row["lanes"]: float(row["images_per_second"])
        for row in groups["digits mlp", "nothing"]
        if row["part"] == "lanes"
    }
    assert f"against 416,026, {alone['5'] / alone['1']:.2f}\ntimes as many" in PAGE
