"""Each line of the doctor's answer has its mark; a command to copy stands on a line of its own."""

from sweeper.doctor.table import lines, print_document

CPU = {"kind": "cpu", "works": True, "name": "a chip", "precision": "fp32", "why": None, "losses": {"fp32": [2.0, 0.5]}}
CPU |= {"differs_from_cpu": None, "images_per_second": 500.0, "batch_size_that_fits": None, "batch_size": 128}
CPU |= {"kernels": None}
ABSENT = {"kind": "mps", "works": None, "losses": None, "why": "no MPS"}
ROOM = {"free_bytes": 10**12, "write_bytes_per_second": 10**9, "error": None, "path": "outputs"}
ROOM |= dict.fromkeys(("grid_bytes", "grid_with_weights_bytes", "checkpoints_bytes"), 10**8)
FETCH = "python -m sweeper.datasets cifar10"
SEARCH = f"pip install '{'/a/folder/with/a/long/name' * 5}[tune]'"


def document(**changes) -> dict:
    return {
        "machine": {"memory_bytes": 16 * 10**9, "memory_available_bytes": 8 * 10**9, "cores": 4},
        "versions": {"sweeper": "1.0", "torch": "2.9", "triton": None, "system": "Linux"},
        "devices": [CPU, ABSENT],
        "outputs": ROOM,
        "datasets": [
            {"name": "digits", "present": True},
            {"name": "cifar10", "present": False, "megabytes": 163, "command": FETCH},
        ],
        "extras": [
            {"present": True, "purpose": "searches", "command": "pip install a"},
            {"present": False, "purpose": "MLflow", "command": "pip install b"},
        ],
        "works": True,
        "problems": [],
        **changes,
    }


def test_marks_say_what_works_what_does_not_and_what_is_not_needed():
    found = lines(document())
    assert ("✓", "CPU: a chip, fp32 by default") in found and ("✗", "MPS: no MPS") in found
    assert ("–", "downloaded when first used: cifar10 (163 MB); or now, by") in found
    assert ("✓", "dataset=digits") in found and ("–", "MLflow: pip install b") in found
    assert not any("searches" in text for _, text in found), "an extra that is installed is no news"
    assert found[0] == ("", "sweeper 1.0, torch 2.9, triton – not installed")
    assert found[-1] == ("✓", "training works here, on CPU by default")


def test_where_training_does_not_work_each_problem_is_a_line():
    problems = ["CPU: no gradients", "outputs: no room"]
    broken = {**CPU, "works": False, "losses": None, "why": "no gradients"}
    found = lines(document(devices=[broken], outputs={**ROOM, "error": "no room"}, works=False, problems=problems))
    assert ("✗", "outputs/: no room") in found and found[-2:] == [("✗", problem) for problem in problems]


def test_a_command_to_copy_is_not_wrapped_however_long(capsys):
    print_document(document(extras=[{"present": False, "purpose": "searches", "command": SEARCH}]))
    printed = capsys.readouterr().out.splitlines()
    assert f"    {FETCH}" in printed and f"– searches: {SEARCH}" in printed


def test_what_a_machine_calls_itself_cannot_move_the_cursor(capsys):
    print_document(document(devices=[{**CPU, "name": "a\x1b[2Jchip"}]))
    out = capsys.readouterr().out
    assert "\x1b" not in out and "chip, fp32 by default" in out
