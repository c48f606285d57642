"""`sweeper COMMAND`: the commands in one table, each handed its words, and completed by the shell."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY

import sweeper
from sweeper.__main__ import COMMANDS, main
from sweeper.datasets.facts import download_command


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """`say(*words) -> (code, out, err)`: the script `sweeper`, in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["/usr/bin/sweeper", *words])
        try:
            code = main()
        except SystemExit as end:  # argparse's, after help
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return call


def test_each_command_is_a_script_of_the_package():
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    scripts = re.findall(r'^sweeper-(\w+) = "([\w.]+):main"$', text, re.MULTILINE)
    assert sorted(scripts) == sorted((name, module) for name, (module, _) in COMMANDS.items())
    assert 'sweeper = "sweeper.__main__:main"' in text


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_each_command_with_its_purpose(say, words):
    code, out, err = say(*words)
    assert (code, err) == (0, "") and out.startswith("usage: sweeper COMMAND")
    for name, (_, purpose) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(purpose)}$", out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_handed_its_words_and_is_called_as_it_was_typed(say, command):
    code, out, err = say(command, "--help")
    assert (code, err) == (0, "") and re.search(rf"^[Uu]sage: sweeper {command} ", out, re.MULTILINE)
    assert f"python -m sweeper.{command}" not in out
    assert say(command, "--version") == (0, f"sweeper {sweeper.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tarin"], "tarin: there is no such command; did you mean 'train'?"),
        (["optimizer=adam"], "the command comes first, as in sweeper train optimizer=adam; see sweeper --help"),
        (["-m", "seed=1,2"], "-m: the command comes first, as in sweeper train -m seed=1,2;"),
        (["train", "--nope"], "unrecognized arguments: --nope; see sweeper train --help"),
        (["report", "--nope"], "unrecognized arguments: --nope; see sweeper report --help"),
        (["datasets", "cifar1"], "cifar1: is no data set to download; did you mean"),
        (["datasets", "--nope"], "unrecognized arguments: --nope; see sweeper datasets --help"),
        (["plan", "--cfg", "job"], "--cfg: is for sweeper train; see sweeper plan --help"),
    ],
)
def test_what_is_no_command_is_refused_in_a_line(say, words, told):
    code, out, err = say(*words)
    assert (code, out) == (2, "") and err.startswith("error: ") and told in err and err.count("\n") == 1


def test_messages_name_the_command_that_downloads_as_it_was_typed(say, monkeypatch):
    assert "usage: sweeper datasets NAME …" in say("datasets")[1]
    assert download_command("cifar10") == "sweeper datasets cifar10"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sweeper-train"])
    assert download_command("cifar10", "svhn") == "sweeper-datasets cifar10 svhn"


def test_help_imports_nothing_that_takes_long(tmp_path):
    code = (
        "import sys; sys.argv = ['sweeper']\nfrom sweeper.__main__ import main; main()\n"
        "sys.exit(' '.join({'torch', 'numpy', 'hydra', 'omegaconf', 'pandas', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_completes_commands_groups_and_choices(tmp_path):
    """Through the script that bash would load, which calls the command as pip installs it."""
    script = tmp_path / "bin" / "sweeper"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom sweeper.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)
    lines = {
        "sweeper tr": "train",
        "sweeper train optimizer=ad": " ".join(f"optimizer={name}" for name in sorted_choices("ad")),
        "sweeper plan -m seed=1 optimizer=li": "optimizer=lion",
        "sweeper report sweeper": "",
        "sweeper datasets cifar": "cifar10 cifar100",
    }
    bash = ['eval "$(sweeper --shell-completion install=bash)"']
    for line in lines:
        words = len(line.split()) - 1
        bash += [f'COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; COMP_CWORD={words}; COMPREPLY=()']
        bash += ["hydra_bash_completion", 'echo "${COMPREPLY[@]}"']
    environment = {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-c", "\n".join(bash)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == list(lines.values()), done.stderr


def sorted_choices(start: str) -> list[str]:
    return sorted(path.stem for path in (REPOSITORY / "conf" / "optimizer").glob(f"{start}*.yaml"))
