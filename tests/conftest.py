"""The command line as a user has it, in processes of their own and, where only its words matter, in this one."""

import contextlib
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import open_dict

# Several processes of two or more threads share the cores here: those that wait give theirs away. No bit depends on it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.pop("PYTHONUNBUFFERED", None)  # users don't set it, and it hides what is left in a buffer at the end

REPOSITORY = Path(__file__).resolve().parent.parent

# Two epochs on 300 small images: enough to tell runs apart, little enough for a test.
TINY = ("dataset=digits", "dataset.train_limit=300", "epochs=2", "device=cpu", "device.threads=1")


_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_IGNORED = pytest.StashKey[list[int]]()
_PASSED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """What tests start doesn't ignore the signals that this process ignores, as it does under `nohup make test &`.

    That a signal is ignored is inherited; a handler isn't, so one that does nothing takes its place.
    """
    ignored = getattr(config, "workerinput", {}).get("ignored")
    config.stash[_IGNORED] = ignored = ignored or [n for n in _ENDING if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda number, frame: None)
    suite = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() == suite:
            pytest.exit("ended by SIGTERM", 143)  # the test under way ends what it has started
        os._exit(143)  # a fork of it

    signal.signal(signal.SIGTERM, end)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """The workers of pytest-xdist are started too, and go on ignoring them."""
    node.workerinput["ignored"] = list(map(int, node.config.stash[_IGNORED]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = not report.failed
    return report


@pytest.fixture(autouse=True)
def own_handlers():
    """A command called in this process takes its signals; after the test they are this process's again."""
    before = {n: signal.getsignal(n) for n in (*_ENDING, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_search_for_modules():
    """A command called in this process tells its children where to look for modules; after the test nothing does."""
    names = ("PYTHONSAFEPATH", "SWEEPER_MODULES")
    before = {name: os.environ[name] for name in names if name in os.environ}
    yield
    for name in names:
        os.environ.pop(name, None)
    os.environ.update(before)


@pytest.fixture(autouse=True)
def started(request, monkeypatch):
    """Ends what a test that failed, or was broken off, has started: each process with the group it leads."""
    processes: list[subprocess.Popen] = []
    start = subprocess.Popen.__init__

    def start_recorded(self, *arguments, **options) -> None:
        if not options.get("process_group"):
            options.setdefault("start_new_session", True)
        start(self, *arguments, **options)
        processes.append(self)

    monkeypatch.setattr(subprocess.Popen, "__init__", start_recorded)
    yield
    if request.node.stash.get(_PASSED, False):
        return
    if "forked" in sys.modules:
        sys.modules["forked"].kill_all()
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started, if it has ended too
        process.kill()
        process.wait()


def merged(*words: object) -> list[str]:
    """A command line in which an override takes the place of an earlier one of the same option, as in `merged(*TINY,
    "epochs=1")`: the product refuses an option that is given twice."""
    by_key: dict[str, str] = {}
    for k, word in enumerate(map(str, words)):
        key, given, _ = word.partition("=")
        by_key[key.lstrip("+") if given and re.fullmatch(r"\+*[\w./]+", key) else str(k)] = word
    return list(by_key.values())


def run_module(module: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m sweeper.<module> …` in `cwd`, with its output as text; a PYTHONPATH goes before the present one."""
    if "PYTHONPATH" in environment and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", f"sweeper.{module}", *merged(*arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(autouse=True, scope="session")
def composed_files():
    """What this process's commands compose of the package's own files alone, and of the same words, is composed once.

    Hydra takes up to 0.2 s each time, and hundreds of tests call several commands. Each gets a copy of its own.
    """
    from hydra.core.global_hydra import GlobalHydra

    from sweeper.config import composer

    compose, known = composer.compose, {}

    def compose_once(config_name, overrides, **options):
        loader = GlobalHydra.instance().config_loader()
        key = (str(loader.get_search_path()), config_name, *overrides, *sorted(options.items()))
        if any(word.startswith("hydra.searchpath=") for word in overrides):
            return compose(config_name, overrides=overrides, **options)
        if key not in known:
            known[key] = pickle.dumps(compose(config_name, overrides=overrides, **options))
        cfg = pickle.loads(known[key])
        if "hydra" in cfg:
            with open_dict(cfg):
                cfg.hydra.runtime.cwd = os.getcwd()
        return cfg

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composer, "compose", compose_once)
        yield


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The same command line called in this process, in an empty folder: `call(*arguments) -> (code, out, err)`.

    For what ends before any training; signals and imports belong to the process.
    """
    from sweeper.train import command as train

    monkeypatch.chdir(tmp_path)

    def call_main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["train.py", *merged(*arguments)])
        loggers = (logging.getLogger(), logging.getLogger("sweeper"))
        before = [list(logger.handlers) for logger in loggers]
        code = train.main()
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers  # Hydra's would go on writing to this test's streams
        return code, *capsys.readouterr()

    return call_main


@pytest.fixture
def refusal(call, tmp_path):
    """`refusal(*arguments)`: the one line with which a command line is refused, without its `error: `."""

    def refuse(*arguments: str) -> str:
        before = set(tmp_path.rglob("*"))
        code, out, err = call(*arguments)
        assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1, err
        assert set(tmp_path.rglob("*")) == before, "nothing is written"
        return err.removeprefix("error: ").removesuffix("\n")

    return refuse


@pytest.fixture
def child():
    """A process that waits until it is ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()
