"""Nothing of anybody else's is written over, and what an earlier run left does not stay."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from long import in_a_soak
from small_run import small_outcome

import bigbar
import bigbar_multiprocessing_optimized as program
from bigbar.errors import NothingCounts, SettingsError
from bigbar.report.delivery import RUN_FILES, Delivery
from bigbar.report.files import OutputError, prepare_folder, receipt_of
from bigbar.report.ownership import check_folder, place_of, sha256_of
from bigbar.store.receipt import RECEIPT, read_receipt
from bigbar.store.runs import RunStore
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "example.csv").read_text().splitlines(keepends=True)
BARS = "".join(LINES[:400])

#: One backtest, as quick as they come.
QUICK = ("--no-optimize", "--no-validate", "--verify", "0", "--workers", "1", "--k-atr", "1")
ALL = ("--export", "csv", "--plot")
ALWAYS = {"summary.json", "results.parquet", "trades.csv", "receipt.json", "report.html"}


class Asked:
    """What the command answered, called in the folder."""

    def __init__(self, monkeypatch, capsys, folder: Path, *arguments: str) -> None:
        monkeypatch.chdir(folder)
        self.code = program.main([*arguments])
        self.out, self.err = capsys.readouterr()

    def refused(self, *words: str) -> bool:
        """Whether it was an error in one line that says all this, before anything else was said."""
        return (
            (self.code, self.out, self.err.count("\n")) == (2, "", 1)
            and self.err.startswith("error: ")
            and all(word in self.err for word in words)
        )


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    (tmp_path / "bars.csv").write_text(BARS)
    return lambda *arguments: Asked(monkeypatch, capsys, tmp_path, *arguments)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def named(folder: Path) -> dict[str, str]:
    return read_receipt(folder / RECEIPT)["files"]


# -------------------------------------------------------------------------------- the price file


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, ()) for name in sorted(ALWAYS)), ("results.csv", ("--export", "csv")),
     ("plot.html", ("--plot",)), ("heatmaps.html", ("--plot",)), ("runs.sqlite-journal", ())],
)  # fmt: skip
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_price_file_under_a_name_that_is_written(ask, tmp_path, name, options, force):
    (tmp_path / name).write_text(BARS)
    before = contents(tmp_path)
    asked = ask(name, "--output", ".", *QUICK, *options, *force)
    assert asked.refused(f"{name} is the price file", "choose another folder with --output")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("turned", [False, True])
def test_links_to_the_price_file(ask, tmp_path, link, turned):
    """Whichever of the two names is given, and whichever is the link."""
    given, written = tmp_path / "bars.csv", tmp_path / "out" / "trades.csv"
    written.parent.mkdir()
    if turned:
        given.rename(written)
        link(written, given)
    else:
        link(given, written)
    for force in ((), ("--force",)):
        assert ask("bars.csv", "--output", "out", *QUICK, *force).refused("is the price file")
    assert given.read_text() == written.read_text() == BARS


def test_the_price_file_as_standard_input(tmp_path):
    (tmp_path / "trades.csv").write_text(BARS)
    with (tmp_path / "trades.csv").open() as piped:
        found = commands.run(
            [sys.executable, ROOT / "bigbar_multiprocessing_optimized.py", "-", "--output", "."],
            stdin=piped, cwd=tmp_path,
        )  # fmt: skip
    assert found.returncode == 2
    assert "trades.csv is the price file" in found.stderr
    assert contents(tmp_path) == {"trades.csv": BARS.encode()}


def test_the_price_file_by_a_pipe(tmp_path):
    """Then only its content tells."""
    (tmp_path / "trades.csv").write_text(BARS)
    found = commands.run(
        [sys.executable, ROOT / "bigbar_multiprocessing_optimized.py", "-", "--output", ".",
         "--force"],
        input=BARS, cwd=tmp_path,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.startswith("error: trades.csv is the price file")
    assert contents(tmp_path) == {"trades.csv": BARS.encode()}


def test_the_price_file_as_the_folder(ask, tmp_path):
    assert ask("bars.csv", "--output", "bars.csv").refused("folder bars.csv is the price file")
    (tmp_path / "notes").write_text("mine")
    assert ask("bars.csv", "--output", "notes").code == 1
    assert (tmp_path / "notes").read_text() == "mine"


def test_from_python(tmp_path):
    path = tmp_path / "runs.sqlite-wal"
    path.write_text(BARS)
    with pytest.raises(SettingsError, match="is the price file"):
        bigbar.optimize(path, store=tmp_path)
    assert contents(tmp_path) == {path.name: BARS.encode()}


# ------------------------------------------------------------------------- other people's files


@pytest.mark.parametrize("name", sorted(ALWAYS))
def test_a_file_of_somebody_else(ask, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    asked = ask("bars.csv", "--output", "out", *QUICK)
    assert asked.refused(name, "not written by this program", "--force", "--output")
    assert contents(tmp_path / "out") == {name: b"mine"}


def test_all_that_is_in_the_way_is_named_at_once(ask, tmp_path):
    for name in ("results.csv", "trades.csv", "plot.html"):
        (tmp_path / name).write_text("mine")
    asked = ask("bars.csv", "--output", ".", *QUICK, *ALL)
    assert asked.refused("trades.csv, results.csv, plot.html in . were not written")


def test_with_force(ask, tmp_path):
    (tmp_path / "trades.csv").write_text("mine")
    assert ask("bars.csv", "--output", ".", *QUICK, "--force").code == 0
    assert (tmp_path / "trades.csv").read_text().startswith("entry_time")
    assert ask("bars.csv", "--output", ".", *QUICK).code == 0


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a directory"),
        (os.mkfifo, "a pipe"),
        (_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/null"), "a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    ],
)
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_is_no_regular_file(ask, tmp_path, make, kind, force):
    make(tmp_path / "trades.csv")
    asked = ask("bars.csv", "--output", ".", *QUICK, *force)
    assert asked.refused(f"cannot write trades.csv: it is {kind}, not a regular file")
    assert os.path.lexists(tmp_path / "trades.csv")


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_to_the_store(ask, tmp_path, link):
    assert ask("bars.csv", "--output", ".", *QUICK).code == 0
    (tmp_path / "trades.csv").unlink()
    link(tmp_path / "runs.sqlite", tmp_path / "trades.csv")
    asked = ask("bars.csv", "--output", ".", *QUICK, "--force")
    assert asked.refused("trades.csv is a store of runs")
    with RunStore(tmp_path) as store:
        assert len(store.runs()) == 1


# -------------------------------------------------------------------------- what is the program's


@pytest.mark.slow
def test_the_receipt_names_every_file(ask, tmp_path):
    found = ask("bars.csv", "--output", "out", "--k-atr", "1,2", "--atr-period", "10,12", *ALL,
                "--uptail-max-ratio", "0.7", "--previous-weight", "0.1", "--verify", "0",
                "--workers", "1", "--no-validate", "--verbose", "--maximize", "SQN",
                "--maximize", "Max. Drawdown [%]")  # fmt: skip
    assert found.code == 0, found.err
    out = tmp_path / "out"
    assert set(named(out)) == {*RUN_FILES} - {RECEIPT}
    assert all(sha256_of(out / name) == digest for name, digest in named(out).items())
    assert "replacing" not in read_receipt(out / RECEIPT)
    told = found.out[found.out.index("Files") :].split()[1 : 1 + len(RUN_FILES)]
    assert told == [f"out/{name}" for name in RUN_FILES]
    assert {p.name for p in out.iterdir()} == {*RUN_FILES, "runs.sqlite"}


def test_again_and_a_file_that_was_changed_since(ask, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        assert ask("bars.csv", "--output", "out", *QUICK).code == 0
    with (out / "trades.csv").open("a") as file:
        file.write("my own note\n")
    before = contents(out)
    assert ask("bars.csv", "--output", "out", *QUICK).refused("trades.csv", "or changed since")
    assert {k: v for k, v in contents(out).items() if k in before} == before
    # Without the receipt nobody knows whose they are.
    (out / RECEIPT).unlink()
    assert ask("bars.csv", "--output", "out", *QUICK).refused("results.parquet", "trades.csv")


def test_a_receipt_of_before_that_names_no_files(ask, tmp_path):
    assert ask("bars.csv", "--output", ".", *QUICK).code == 0
    receipt = json.loads((tmp_path / RECEIPT).read_text())
    del receipt["files"]
    (tmp_path / RECEIPT).write_text(json.dumps(receipt))
    asked = ask("bars.csv", "--output", ".", *QUICK)
    assert asked.refused("holds a run of version", "does not name its files", "--force")
    assert ask("bars.csv", "--output", ".", *QUICK, "--force").code == 0
    assert ask("bars.csv", "--output", ".", *QUICK).code == 0


@pytest.mark.parametrize(
    "files", [None, 5, [], {"trades.csv": 5}, {"trades.csv": [5]}, {"trades.csv": "0" * 64}]
)
def test_a_receipt_that_names_nonsense(ask, tmp_path, files):
    assert ask("bars.csv", "--output", ".", *QUICK).code == 0
    receipt = json.loads((tmp_path / RECEIPT).read_text())
    (tmp_path / RECEIPT).write_text(json.dumps(receipt | {"files": files}))
    assert ask("bars.csv", "--output", ".", *QUICK).refused("trades.csv")


# ----------------------------------------------------------------------- what an earlier run left


@pytest.mark.slow
def test_files_of_an_earlier_run_do_not_stand_beside_the_new_answer(ask, tmp_path):
    out = tmp_path / "out"
    assert ask("bars.csv", "--output", "out", *QUICK, *ALL).code == 0
    assert {"plot.html", "results.csv"} < set(contents(out))
    again = ask("bars.csv", "--output", "out", *QUICK)
    assert again.code == 0
    assert "out/plot.html, out/results.csv of an earlier run: removed" in again.err
    assert set(contents(out)) == ALWAYS | {"runs.sqlite"}
    nothing = ask("bars.csv", "--output", "out", *QUICK[:-1], "90")
    assert nothing.code == NothingCounts.exit_code == 2
    assert set(contents(out)) == {"summary.json", "results.parquet", RECEIPT, "runs.sqlite"}
    assert set(named(out)) == {"summary.json", "results.parquet"}


@pytest.mark.slow
def test_what_is_not_the_programs_is_said_and_stays(ask, tmp_path):
    (tmp_path / "results.csv").write_text("mine")
    assert ask("bars.csv", "--output", ".", *QUICK, "--plot").code == 0
    (tmp_path / "plot.html").write_text("changed")
    again = ask("bars.csv", "--output", ".", *QUICK)
    assert again.code == 0
    assert "plot.html, results.csv: not of this run, nor written by this program" in again.err
    assert (tmp_path / "results.csv").read_text() == "mine"
    assert (tmp_path / "plot.html").read_text() == "changed"


def test_of_a_price_file_beside_the_answer_nothing_is_said(ask, tmp_path):
    (tmp_path / "bars.csv").rename(tmp_path / "results.csv")
    asked = ask("results.csv", "--output", ".", *QUICK)
    assert asked.code == 0
    assert "results.csv" not in asked.err.replace("Data       results.csv", "")
    assert (tmp_path / "results.csv").read_text() == BARS


# ----------------------------------------------------------------------------------- on the way


FOUND = receipt_of(small_outcome(), [])


def text(words: str):
    def write(path: Path) -> Path:
        path.write_text(words)
        return path

    return write


def deliver(folder: Path, words: str, names=("trades.csv", "report.html"), **options: bool):
    prepare_folder(folder)
    with Delivery(folder, **options) as delivery:
        for name in names:
            delivery.add(name, text(words))
        return delivery.put_in_place(FOUND)


def test_together_or_not_at_all(tmp_path):
    deliver(tmp_path, "old")
    before = contents(tmp_path)
    with Delivery(tmp_path) as delivery:
        delivery.add("trades.csv", text("new"))
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 3
    with Delivery(tmp_path) as delivery:
        assert delivery.put_in_place(FOUND).files == []
    assert contents(tmp_path) == before


def test_what_could_not_be_written_is_not_left_as_it_was(tmp_path):
    deliver(tmp_path, "old")
    with Delivery(tmp_path) as delivery:
        delivery.add("report.html", text("new"))

        def fail(path: Path) -> Path:
            raise OutputError(f"cannot write {path}: the disk is full")

        with pytest.raises(OutputError, match=rf"^cannot write {tmp_path}/trades.csv: the disk"):
            delivery.add("trades.csv", fail)
        delivered = delivery.put_in_place(FOUND)
    assert delivered.files == [tmp_path / RECEIPT, tmp_path / "report.html"]
    assert set(contents(tmp_path)) == {RECEIPT, "report.html"}


@pytest.mark.parametrize("name", ["trades.csv", RECEIPT])
def test_somebody_writes_there_meanwhile(tmp_path, name):
    with Delivery(tmp_path) as delivery:
        delivery.add("trades.csv", text("new"))
        delivery.add("report.html", text("new"))
        (tmp_path / name).write_text("mine")
        delivered = delivery.put_in_place(FOUND)
    assert "somebody else wrote there meanwhile" in str(delivered.problem)
    assert str(tmp_path / name) in str(delivered.problem)
    assert (tmp_path / name).read_text() == "mine"
    assert (tmp_path / "report.html").exists() == (name != RECEIPT)


#: A folder for each step: its process is killed at that step of giving files their names.
KILLED = """
import os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from pathlib import Path
from test_delivery import deliver
def killed(folder):
    left = int(folder.name)
    def strike(event, _):
        nonlocal left
        if event in ("os.rename", "os.remove"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(strike)
    deliver(folder, "new", ("trades.csv", "summary.json"))
for name in sys.argv[2:]:
    child = os.fork()
    if not child:
        killed(Path(name))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_killed_while_files_are_put_in_place(tmp_path):
    """At every step; the next run knows what is the program's, and leaves nothing of it."""
    folders = [tmp_path / str(step) for step in range(1, 15)]
    for folder in folders:
        deliver(folder, "old")
    child = [sys.executable, "-c", KILLED, str(ROOT), *map(str, folders)]
    ends = commands.run(child, check=True).stdout.split()
    assert set(ends) == {"0", str(-signal.SIGKILL)}
    assert ends.count(str(-signal.SIGKILL)) >= 8
    for folder in folders:
        check_folder(folder, RUN_FILES, None, force=False)
        assert deliver(folder, "newer", ("trades.csv",)).problem is None
        assert sorted(p.name for p in folder.iterdir()) == [RECEIPT, "trades.csv"]
        assert (folder / "trades.csv").read_text() == "newer"
        assert set(named(folder)) == {"trades.csv"}


#: Two processes that deliver again and again into a folder.
BUSY = """
import os, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from pathlib import Path
from test_delivery import deliver
child = os.fork()
who = "second" if child else "first"
problems = [deliver(Path(sys.argv[2]), f"{who} {number}").problem for number in range(60)]
if not child:
    os._exit(any(problems))
sys.exit(any(problems) or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_two_at_once(tmp_path):
    commands.run([sys.executable, "-c", BUSY, str(ROOT), str(tmp_path)], check=True, timeout=60)
    assert {n: sha256_of(tmp_path / n) for n in ("trades.csv", "report.html")} == named(tmp_path)
    assert (tmp_path / "trades.csv").read_bytes() == (tmp_path / "report.html").read_bytes()


# --------------------------------------------------------------------------------------- export


@pytest.fixture
def export(spoilable_runs, capsys):
    from history_tools import Asked as AskedHistory

    return lambda to, *more: AskedHistory(
        capsys, spoilable_runs, "export", "1", "--to", str(to), *more
    )


@contextmanager
def unchanged(*paths: Path):
    before = [path.read_bytes() for path in paths]
    yield
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_export_never_writes_over_a_store(export, spoilable_runs, tmp_path, force):
    store = spoilable_runs / "runs.sqlite"
    other = tmp_path / "other.db"
    shutil.copy(store, other)
    hard, soft = tmp_path / "hard.parquet", tmp_path / "soft.parquet"
    os.link(store, hard)
    soft.symlink_to(store)
    with unchanged(store, other):
        for to in (store, hard, soft):
            assert export(to, *force).refused(f"{to} is the store of runs itself")
        for to in (other, tmp_path / "other.db-wal", spoilable_runs / "runs.sqlite-shm"):
            assert export(to, *force).refused("store of runs")
    assert not (tmp_path / "other.db-wal").exists()


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_export_never_writes_over_a_price_file(export, spoilable_runs, tmp_path, force):
    with RunStore(spoilable_runs, read_only=True) as store:
        source = Path(store.run(1).data["path"])
    link = tmp_path / "rows.csv"
    os.link(source, link)
    copy = shutil.copy(source, tmp_path / "copy.csv")
    with unchanged(source, copy):
        for to in (source, link, copy):
            assert export(to, *force).refused(f"{to} is the price file")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_export_never_writes_over_a_device(export, tmp_path, force):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for to, kind in (
        (Path("/dev/null"), "a device"),
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "link", "a symbolic link"),
        (tmp_path, "a directory"),
    ):
        mode = os.lstat(to).st_mode
        assert export(to, *force).refused(f"cannot write {to}: it is {kind}")
        assert os.lstat(to).st_mode == mode


def test_export_makes_no_file_of_a_dash(export, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export(Path("-")).refused("- is no file")
    assert not Path("-").exists()


def test_export_and_a_file_that_is_there(export, tmp_path):
    to = tmp_path / "rows.parquet"
    to.write_text("mine")
    assert export(to).refused(f"{to} is there already", "--to", "--force")
    assert to.read_text() == "mine"
    assert export(to, "--force").code == 0
    assert to.read_bytes()[:4] == b"PAR1"


def test_exports_that_the_receipt_names_may_be_replaced(export, spoilable_runs):
    """And they outlive the next run in the folder, which is not what they are of."""
    deliver(spoilable_runs, "words")
    to = spoilable_runs / "run-1.csv"
    for _ in range(2):
        assert export(to, "--format", "csv").code == 0
    assert set(named(spoilable_runs)) == {"run-1.csv", "trades.csv", "report.html"}
    assert deliver(spoilable_runs, "other", ("summary.json",)).problem is None
    assert set(named(spoilable_runs)) == {"run-1.csv", "summary.json"}
    assert export(to, "--format", "csv").code == 0
    to.write_text("changed")
    assert export(to, "--format", "csv").refused("is there already")


def test_export_into_the_place_of_an_answer(export, spoilable_runs):
    deliver(spoilable_runs, "words", ("results.parquet",))
    assert export(spoilable_runs / "results.parquet").refused("is there already")
    for force in ((), ("--force",)):
        assert export(spoilable_runs / RECEIPT, *force).refused("is the receipt of a run")
    assert export(spoilable_runs / "results.parquet", "--force").code == 0


def test_where_a_file_is(tmp_path):
    path = tmp_path / "a"
    path.write_text("")
    with path.open() as opened:
        found = {place_of(one).st_ino for one in (path, str(path), opened)}
    assert found == {path.stat().st_ino}
    for nothing in (tmp_path / "b", None, 5, "\0", BARS, {}):
        assert place_of(nothing) is None


# --------------------------------------------------------------------------------- a full disk

FULL = """
set -e
mkdir disk
mount -t tmpfs -o size={size}k tmpfs disk
cp {first}/* disk
(cd disk; sha256sum *) >before
head -c {left}k /dev/zero >disk/filler || true
head -c 100000000 /dev/zero >>disk/filler 2>/dev/null || true
truncate -s -{room}k disk/filler
code=0
{python} -m bigbar bars.csv {quick} --no-store --cash 5000 --output disk >second 2>&1 || code=$?
rm disk/filler
(cd disk; sha256sum *) >after
echo $code
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """The files of a run with plots."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "bars.csv").write_text(BARS)
    done = commands.run(
        [sys.executable, "-m", "bigbar", "bars.csv", *QUICK, "--no-store", "--plot",
         "--export", "csv", "--output", "disk"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "disk"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no disks of its own")
@pytest.mark.parametrize("room", [0, 24, 120, *in_a_soak(8, 60)])
def test_a_full_disk_leaves_the_files_of_the_earlier_run(tmp_path, drawn, room):
    (tmp_path / "bars.csv").write_text(BARS)
    script = FULL.format(
        python=sys.executable, quick=" ".join(QUICK), size=20_000, left=1, room=room, first=drawn
    )
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no disks of its own")
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "second").read_text()
    before, after = ((tmp_path / name).read_text() for name in ("before", "after"))
    assert "plot.html" in before
    if done.stdout.strip() == "0":
        assert room >= 60
        assert "plot.html" not in after
        assert len(after.splitlines()) == len(ALWAYS)
    else:
        assert "No space left on device" in said
        assert after == before
