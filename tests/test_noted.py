"""What is noted of a run for whoever watches it from elsewhere."""

import json
import os

import pytest

from bigbar.progress.events import Listener
from bigbar.progress.noted import Noted
from bigbar.store.journal import Journal, journal_path, read_journal
from bigbar.store.owner import Owner

OWNER = Owner.of_this_process()
METHODS = sorted(name for name in vars(Listener) if not name.startswith("_"))


@pytest.mark.parametrize("name", METHODS)
def test_everything_is_passed_on(name):
    assert name in vars(Noted), f"{name} would be lost"


def test_what_is_noted_comes_back(tmp_path):
    journal = Journal(tmp_path, 3, OWNER)
    listener = Noted(Listener(), journal.add)
    listener.event("worker 7 died\n\x1b[2J")
    listener.validating("walk forward")
    found = read_journal(tmp_path, 3, OWNER)
    assert [(one.kind, one.text) for one in found] == [
        ("note", "worker 7 died\n\x1b[2J"),
        ("stage", "walk forward"),
    ]
    assert found[0].at <= found[1].at
    journal.close()
    assert not list(tmp_path.iterdir())
    journal.add("note", "too late")
    assert not list(tmp_path.iterdir())


def test_entries_of_another_attempt_are_not_taken(tmp_path):
    Journal(tmp_path, 3, OWNER).close(keep=True)
    other = Owner("another", OWNER.pid, OWNER.began, OWNER.place)
    assert journal_path(tmp_path, 3).exists()
    assert read_journal(tmp_path, 3, other) == []


def test_a_link_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    journal_path(tmp_path, 3).symlink_to(precious)
    journal = Journal(tmp_path, 3, OWNER)
    journal.add("note", "here")
    assert precious.read_text() == "kept"
    assert [one.text for one in read_journal(tmp_path, 3, OWNER)] == ["here"]
    journal.close()


def test_a_folder_that_cannot_be_written_is_no_matter(tmp_path):
    journal = Journal(tmp_path / "missing", 3, OWNER)
    journal.add("note", "lost")
    journal.close()
    assert read_journal(tmp_path / "missing", 3, OWNER) == []


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe", b"[]", b"{", b"[" * 100_000, b'{"kind": "note"}', b"1e999", b"",
        b'{"kind": "note", "at": 1e300, "text": "x"}', b'{"kind": "note", "at": "1", "text": "x"}',
        b'{"kind": "note", "at": NaN, "text": "x"}', b'{"kind": 1, "at": 1, "text": "x"}',
        b'{"kind": "note", "at": 5, "text": ["x"]}', b"x" * 1_000_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_nonsense_is_left_out(tmp_path, line):
    head = json.dumps({"owner": OWNER.token}).encode()
    good = b'{"kind": "note", "at": 5, "text": "good"}'
    journal_path(tmp_path, 3).write_bytes(b"\n".join([head, good, line]))
    assert [one.text for one in read_journal(tmp_path, 3, OWNER)] == ["good"]
    journal_path(tmp_path, 3).write_bytes(b"\n".join([line, good]))
    assert read_journal(tmp_path, 3, OWNER) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(journal_path(tmp_path, 3))
    assert read_journal(tmp_path, 3, OWNER) == []
