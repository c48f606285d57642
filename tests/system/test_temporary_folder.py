"""A temporary folder is removed whatever ends its block, also by a Ctrl-C while it is made or removed."""

import os
import shutil
import signal
import tempfile
import threading

import pytest

from sweeper.system.temporary_folder import temporary_folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def interrupted(function):
    """`function`, and a Ctrl-C right after it."""

    def both(*arguments, **options):
        result = function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return result

    return both


def test_it_has_the_prefix_and_goes_with_the_block(places):
    with temporary_folder("sweeper-some-") as folder:
        assert folder.parent == places and folder.name.startswith("sweeper-some-")
        (folder / "file").write_text("")
    assert list(places.iterdir()) == []


def test_an_error_goes_on_and_the_folder_goes(places):
    with pytest.raises(ValueError, match="mine"), temporary_folder("a"):
        raise ValueError("mine")
    assert list(places.iterdir()) == []


def test_a_ctrl_c_right_after_the_folder_is_made_leaves_nothing(places, monkeypatch):
    monkeypatch.setattr(tempfile, "mkdtemp", interrupted(tempfile.mkdtemp))
    entered = []
    with pytest.raises(KeyboardInterrupt), temporary_folder("a") as folder:
        entered.append(folder)
    assert (entered, list(places.iterdir())) == ([], [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_ctrl_c_while_it_is_removed_leaves_nothing(places, monkeypatch):
    monkeypatch.setattr(os, "unlink", interrupted(os.unlink))  # the first step of removing
    with pytest.raises(KeyboardInterrupt), temporary_folder("a") as folder:
        (folder / "file").write_text("")
    assert list(places.iterdir()) == []


def test_another_thread_has_one_too(places):
    found = []

    def work():
        with temporary_folder("a") as folder:
            found.append(folder.is_dir())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True] and list(places.iterdir()) == []


def test_one_that_is_gone_already_is_no_error(places):
    with temporary_folder("a") as folder:
        shutil.rmtree(folder)
