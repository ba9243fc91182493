"""Write the sample outputs of these pages anew: run the commands, and put in what they print.

    python docs/outputs.py

A block that stands below a line `<!-- output: NAME -->` is one of `made`. A test compares them with
what the commands print, times and sizes apart.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

#: A marked block: its mark and fence, name, and text.
BLOCK = re.compile(
    r"(<!-- output: ([\w-]+) -->\n```text\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL
)

#: What differs from machine to machine and from run to run: whole lines, and in a line.
_LINES = (
    (r"^Timings .*?(?=^Memory)", "Timings #\n"),
    (r"^(Compile|Note) .*?\n(?=\S)", ""),
)
_PASSING = (
    (r"python -m bigbar", "bigbar"),  # Where the command is not installed.
    (r"[\d.,]+ (?=(ns|µs|ms|s|B|kB|MB|GB)\b)", "# "),
    (r"\b\d+e-\d+\b|\b[0-9a-f]{12}\b", "#"),
    (r"here \d+", "here #"),
    (r"-h \[all\], --help", "-h, --help"),  # Versions of Python write it differently.
    (r"\d+ chunks? of up to [\d,]+", "#"),
)


def made() -> dict[str, str]:
    """What the commands print, by the names of the blocks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "example.csv", folder)
        # As many replays as by default, however slow the machine is.
        ran = _ran(folder, "example.csv", "--workers", "2", "--verify", "20")
        whole = _ran(folder, "show", "1").stdout
        details = whole.partition("\nBest of ")[0]
        return {
            "progress": ran.stderr,
            "answer": ran.stdout,
            "result": ran.stdout.partition("If none of ")[0],
            "verdict": details.partition("\n\nYou tried")[1].lstrip()
            + details.partition("\n\nYou tried")[2].partition("\n\n")[0]
            + "\n",
            "errors": "\n".join(_refusals(folder)),
        }


def _refusals(folder: Path) -> list[str]:
    """What is said of a bar that cannot be, of a short file, and of a mistyped name."""
    rows = (folder / "example.csv").read_text(encoding="utf-8").splitlines()
    time, opened, _, *rest = rows[1203].split(",")
    odd = ",".join((time, opened, "1.0", *rest))
    for name, lines in (
        ("odd.csv", [*rows[:1203], odd, *rows[1204:]]),
        ("short.csv", rows[:60]),
    ):
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return [
        _ran(folder, *arguments, code=2).stderr
        for arguments in (("odd.csv",), ("short.csv",), ("example.csv", "--maximize", "sharpe"))
    ]


def _ran(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "bigbar", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if ran.returncode != code:
        raise RuntimeError(
            f"bigbar {' '.join(arguments)} ended with {ran.returncode}: {ran.stderr}"
        )
    return ran


def masked(text: str) -> str:
    """A text without what differs each time, in one line: lines may break elsewhere, too."""
    for pattern, instead in _LINES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE | re.DOTALL)
    text = " ".join(text.split())
    for pattern, instead in _PASSING:
        text = re.sub(pattern, instead, text)
    return text


def shown() -> list[tuple[Path, str, str]]:
    """Every marked block: its page, its name and its text."""
    pages = (*sorted(DOCS.glob("*.md")), ROOT / "README.md")
    return [
        (page, found[2], found[3])
        for page in pages
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def main() -> None:
    """Rewrite the pages."""
    outputs = made()
    for page in {page for page, _, _ in shown()}:
        text = page.read_text(encoding="utf-8")
        anew = BLOCK.sub(lambda found: found[1] + outputs[found[2]], text)
        page.write_text(anew, encoding="utf-8")


if __name__ == "__main__":
    main()
