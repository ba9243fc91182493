"""What was run, on what, and the proof: all that is needed to get the same page again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bigbar.account import Account
from bigbar.reducing import kept_text
from bigbar.report.answer import verification_text
from bigbar.report.page.markup import Content, definitions, escaped, tag
from bigbar.report.page.numbers import minute, value_text
from bigbar.report.page.subject import Section, Subject
from bigbar.version import __version__

#: A longer list is shown by its ends; receipt.json has all of it.
MOST_VALUES = 8


def record_section(subject: Subject) -> Section:
    """Settings and receipt."""
    parts: list[Content] = [tag("div", definitions(_settings(subject)), class_="card")]
    if subject.receipt:
        parts += [
            tag("h3", "Receipt"),
            tag("div", definitions(_receipt(subject.receipt)), class_="card"),
        ]
    return Section("record", "Settings and receipt", escaped(parts), folded=True)


def _settings(subject: Subject) -> Iterator[tuple[Content, Content]]:
    outcome = subject.outcome
    bars, job, choice = outcome.bars, outcome.job, outcome.choice
    account, index = job.account, bars.frame.index
    yield "file", tag("code", bars.source)
    yield "SHA-256", tag("code", bars.sha256)
    yield "bars", f"{len(index):,}, {minute(index[0])} to {minute(index[-1])}"
    yield (
        "taking part",
        f"{len(subject.bars):,}; the first {job.first_bar:,} warm up the indicators",
    )
    if bars.notes:
        yield "read with", "; ".join(bars.notes)
    for axis in job.space.parameters:
        values = f"{len(axis)} values, {axis}" if len(axis) > 1 else str(axis)
        yield axis.name, values
    yield "combinations", f"{outcome.total:,}"
    if outcome.rule is not None:
        yield "rows kept", kept_text(outcome)
    yield "optimized for", f"{choice}, at least {choice.min_trades:,} trades"
    yield "cash", f"{account.cash:,.10g}"
    yield "commission", commission_text(account)
    yield "spread", value_text(account.spread)
    yield "margin", value_text(account.margin)
    for name, value in job.spec.settings.items():
        yield name.replace("_", " "), value_text(value)
    yield "engine", job.engine
    yield "verified", verification_text(outcome)
    yield "failed", f"{outcome.failed:,} combinations"
    yield "seed", f"{outcome.execution.seed}"
    yield "optimizer", f"BigBar {__version__}"


def commission_text(account: Account) -> str:
    """`5 + 0.001`: the fixed amount and the share; a function by its name."""
    if callable(account.commission):
        return f"the function {account.described['commission']}"
    fixed, relative = account.commission_parts
    return (f"{fixed:g} + " if fixed else "") + value_text(relative)


def _receipt(held: Mapping[str, Any], before: str = "") -> Iterator[tuple[Content, Content]]:
    """Names and values as they are; a mapping inside is one row a value."""
    for name, value in held.items():
        whole = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _receipt(value, f"{whole} · ")
        elif isinstance(value, (list, tuple)) and name != "command" and len(value) > MOST_VALUES:
            yield whole, tag("code", f"{len(value)} values, {value[0]} … {value[-1]}")
        elif isinstance(value, (list, tuple)):
            yield whole, tag("code", " ".join(map(str, value)))
        else:
            yield whole, tag("code", str(value))
