"""What `commands` starts is what `subprocess` starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import commands
from tests.guard import Guard

ROOT = Path(__file__).resolve().parents[1]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is subprocess itself")

#: What a program can find out about itself.
ABOUT = """
import json, multiprocessing.process, os, signal, sys, tempfile, threading
main = sys.modules["__main__"]
spec = getattr(main, "__spec__", None)
streams = [getattr(sys, name) for name in ("stdin", "stdout", "stderr")]
told = {
    "name": __name__, "file": globals().get("__file__"), "main": vars(main) is globals(),
    "spec": spec and spec.name, "argv": sys.argv, "first": sys.path[0],
    "source": sys._getframe().f_code.co_filename,
    "path": [os.path.abspath(one) for one in sys.path],
    "folder": os.getcwd(), "orig": sys.orig_argv,
    "environment": dict(os.environ), "session": os.getsid(0) == os.getpid(),
    "parent": os.getppid(), "group": os.getpgrp() == os.getpid(),
    "signals": {one.name: str(signal.getsignal(one)).split(" at ")[0]
                for one in signal.valid_signals() if isinstance(one, signal.Signals)},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "streams": [(one.encoding, one.errors, one.line_buffering, one.write_through, one.mode,
                 one.name, str(one.buffer)) for one in streams],
    "files": sorted(os.listdir("/proc/self/fd"), key=int),
    "begun": multiprocessing.process.ORIGINAL_DIR,
    "threads": threading.active_count(), "temporary": tempfile.gettempdir(),
    "umask": os.umask(0o22), "bytecode": sys.dont_write_bytecode, "read": sys.stdin.read(),
}
print(json.dumps(told))
print("and", file=sys.stderr)
"""


@linux_only
@pytest.mark.parametrize(
    "form",
    [("script.py",), ("./deep/script.py",), ("-m", "module"), ("-m", "package"), ("-c", ABOUT)],
)
@pytest.mark.parametrize("session", [False, True], ids=["buffered", "unbuffered and a session"])
def test_a_program_is_told_the_same_of_itself(tmp_path, form, session):
    for name in ("script.py", "deep/script.py", "module.py", "package/__main__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(ABOUT)
    told = []
    for start in (subprocess.Popen, commands.Command):
        process = start(
            [sys.executable, *form, "a", "-b", "ä ö"], cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=session,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:/nowhere", "MINE": "1",
                 "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1" * session},
        )  # fmt: skip
        out, err = process.communicate("given\n", timeout=60)
        assert (process.returncode, err) == (0, "and\n")
        told.append(json.loads(out))
    started, forked = told
    assert forked == started
    assert (started["parent"], started["session"]) == (os.getpid(), session)


@linux_only
def test_it_is_forked_where_it_can_be():
    """Else nothing would be gained, nor anything be tested here."""
    loaded = "import sys; print('numba' in sys.modules)"
    assert commands.run([sys.executable, "-c", loaded]).stdout == "True\n"
    heeded = {**os.environ, "PYTHONBREAKPOINT": "builtins.print"}
    called = f"{loaded}; breakpoint('called')"
    assert commands.run([sys.executable, "-c", called], env=heeded).stdout == "True\ncalled\n"
    other = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    assert commands.run([sys.executable, "-c", loaded], env=other).stdout == "False\n"
    assert commands.run([sys.executable, "-S", "-c", loaded]).stdout == "False\n"
    assert commands.run(["echo", "any other"]).stdout == "any other\n"


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('said')", 1),
        ("1 / 0", 1),
        ("import os; os._exit(4)", 4),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import atexit, os; atexit.register(os._exit, 5)", 5),
        ("import sys, os; print('x'); os.close(1)", 120),
    ],
)
def test_it_ends_the_same(code, ended):
    line = [sys.executable, "-c", code]
    began = {**os.environ, "PYTHONUNBUFFERED": ""} if ended == 120 else None
    started = subprocess.run(line, capture_output=True, text=True, env=began)
    forked = commands.run(line, env=began)
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert started.returncode == ended
    assert forked.stderr.splitlines()[-1:] == started.stderr.splitlines()[-1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_it(number):
    line = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    with commands.Command(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == "up\n"
        assert psutil.Process(process.pid).ppid() == os.getpid()
        process.send_signal(number)
        assert process.wait(30) == -number


SPAWNS = """
import multiprocessing, sys
def double(value):
    return 2 * value
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(double, [1, 2]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_its_workers_find_what_is_in_the_script(tmp_path, method):
    (tmp_path / "script.py").write_text(SPAWNS)
    done = commands.run([sys.executable, "script.py", method], cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[2, 4]\n"), done.stderr


def test_no_two_draw_the_same():
    line = [
        sys.executable,
        "-c",
        "import numpy, random; print(numpy.random.rand(), random.random())",
    ]
    drawn = " ".join(commands.run(line).stdout for _ in range(2)).split()
    assert len(set(drawn)) == 4


def test_one_that_is_left_behind_is_found():
    guard = Guard()
    line = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = commands.Command(line, start_new_session=True)
    try:
        time.sleep(0.1)
        _, processes = guard.left_behind(grace_s=0.5)
        assert [one for one in processes if one.startswith(f"{process.pid} ")]
        assert len(processes) == 1
    finally:
        process.kill()
        process.wait()
