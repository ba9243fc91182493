"""Whether the process of a run still lives."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from store_tools import dead_owner

from bigbar.store.owner import SILENCE_S, Owner


def test_this_process_lives():
    here = Owner.of_this_process()
    assert here.pid == os.getpid()
    assert here.lives(seen=0.0)


def test_every_owner_is_another():
    assert Owner.of_this_process().token != Owner.of_this_process().token


def test_text_and_back():
    here = Owner.of_this_process()
    assert Owner.from_text(here.text()) == here


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', "null"])
def test_text_that_is_none(text):
    with pytest.raises(ValueError, match=r"."):
        Owner.from_text(text)


def test_a_process_that_ended_is_gone():
    assert not dead_owner().lives(time.time())


def test_a_process_that_was_killed_is_gone_and_one_that_is_stopped_is_not():
    script = "import sys, time; print('here', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    child.stdout.readline()
    import psutil

    began = psutil.Process(child.pid).create_time()
    owner = replace(Owner.of_this_process(), pid=child.pid, began=began)
    assert owner.lives(0.0)
    child.send_signal(signal.SIGSTOP)
    assert owner.lives(0.0)
    child.kill()
    deadline = time.monotonic() + 10
    while owner.lives(time.time()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not owner.lives(time.time())  # Though nobody has asked for its exit code yet.
    child.communicate()
    assert not owner.lives(time.time())


def test_a_number_that_was_given_to_another_process_does_not_count():
    here = Owner.of_this_process()
    assert not replace(here, began=here.began - 60).lives(time.time())


def test_a_boot_or_container_that_is_another_is_judged_by_its_silence():
    elsewhere = replace(Owner.of_this_process(), place="another machine")
    assert elsewhere.lives(time.time() - SILENCE_S / 2)
    assert not elsewhere.lives(time.time() - SILENCE_S - 1)
