"""The head of the page: the verdict, the chosen setting and the key figures."""

from __future__ import annotations

from bigbar.report.answer import why_nothing
from bigbar.report.page.beside import buy_and_hold_card, told_beside
from bigbar.report.page.markup import Content, Markup, definitions, escaped, paragraph, tag
from bigbar.report.page.numbers import day, number, statistic, value_text
from bigbar.report.page.subject import Section, Subject
from bigbar.validation.findings import Findings, Verdict
from bigbar.validation.wording import sharpe_name

#: Light, the word for it, and a shape that tells it without colour.
LIGHTS = {
    "red": ("Red light", "M6 6 L14 14 M14 6 L6 14"),
    "amber": ("Amber light", "M10 4 V11.5 M10 15 V15.2"),
    "green": ("Green light", "M5 10.5 L8.5 14 L15 6.5"),
}

#: What the cards show, by backtesting.py's names.
KEY_FIGURES = (
    "Return [%]",
    "Buy & Hold Return [%]",
    "Return (Ann.) [%]",
    "Sharpe Ratio",
    "Max. Drawdown [%]",
    "Profit Factor",
    "Win Rate [%]",
    "# Trades",
)

#: Their labels, where the name without its unit does not do.
LABELS = {"Buy & Hold Return [%]": "Buy & hold instead"}

NOT_VALIDATED = Verdict(
    light="none",
    headline="Not validated: nothing here says whether this result is more than luck.",
    lines=("The best of many settings looks good by construction.",),
)


def verdict_section(subject: Subject) -> Section:
    """Traffic light with the sentence, what stands behind it, and the key figures."""
    findings, outcome = subject.findings, subject.outcome
    verdict = NOT_VALIDATED if findings is None else findings.verdict
    parts: list[Content] = [_warning(remark) for remark in subject.remarks]
    reached, total = outcome.reached, outcome.total
    if reached < total:
        parts.append(_warning(
            f"Not every combination was answered: {reached:,} of {total:,}. All that follows is "
            "about those."
        ))  # fmt: skip
    if subject.best is None:
        parts.append(_warning(why_nothing(outcome)))
    card, beside = verdict_card(verdict, findings), buy_and_hold_card(subject)
    parts.append(card if beside is None else tag("div", card, beside, class_="head"))
    if subject.best is not None:
        parts += [chosen_card(subject, subject.best), _figures(subject)]
    if findings is not None and findings.notes:
        parts.append(tag("ul", [tag("li", note) for note in findings.notes], class_="notes"))
    return Section("verdict", "Verdict", escaped(parts))


def _warning(text: str) -> Markup:
    return tag("p", tag("strong", "Note: "), text, class_="warning")


def verdict_card(verdict: Verdict, findings: Findings | None) -> Markup:
    """The traffic light with the sentence, and what stands behind it."""
    word = LIGHTS[verdict.light][0] if verdict.light in LIGHTS else "No light"
    elsewhere = {verdict.headline, *told_beside(findings)}
    others = [line for line in verdict.lines if line not in elsewhere]
    return tag(
        "div",
        _lamps(verdict.light),
        tag(
            "div",
            paragraph(word, class_="word"),
            paragraph(_sentence(verdict.headline), class_="headline"),
            tag("ul", [tag("li", line) for line in others]) if others else None,
        ),
        class_=f"card light {verdict.light}",
    )


def _sentence(headline: str) -> str:
    """The headline without the word that a terminal needs before it."""
    said = headline.removeprefix("Verdict: ")
    return said[:1].upper() + said[1:]


def _lamps(light: str) -> Markup:
    """A traffic light; the lamp that is on carries a sign as well."""
    lamps = []
    for place, (name, (_, sign)) in enumerate(LIGHTS.items()):
        lit = name == light
        lamps.append(
            tag(
                "g",
                tag("circle", cx=10, cy=10, r=9),
                tag("path", d=sign) if lit else None,
                class_=f"lamp {name}" + (" lit" if lit else ""),
                transform=f"translate(4 {4 + 24 * place})",
            )
        )
    housing = tag("rect", width=28, height=76, rx=9, class_="housing")
    return tag("svg", housing, lamps, viewBox="0 0 28 76", aria_hidden="true", class_="lamps")


def chosen_card(subject: Subject, best: int) -> Markup:
    """Which setting this is, with the parameters to trade it by."""
    outcome, plateau = subject.outcome, subject.plateau
    total, objective = outcome.reached, outcome.choice.objective.name
    if plateau is not None and best == plateau.robust and best != plateau.peak:
        which = f"The robust choice of {total:,} combinations by {objective}"
    elif total > 1:
        which = f"The best of {total:,} combinations by {objective}"
    else:
        which = "The one combination of this run"
    parameters = outcome.job.space[best]
    return tag(
        "div",
        tag("h3", which),
        definitions(
            ((name, value_text(value)) for name, value in parameters.items()), "parameters"
        ),
        class_="card chosen",
    )


def label(name: str) -> str:
    """A key figure's name for a person."""
    return LABELS.get(name, name.partition(" [")[0].replace("# ", ""))


def _figures(subject: Subject) -> Markup:
    holdout = subject.holdout
    cards = []
    for name in KEY_FIGURES:
        plain = label(name)
        unseen = None
        if holdout is not None:
            unseen = tag("dd", "unseen ", statistic(name, holdout.unseen.get(name)), class_="small")
        cards.append(
            tag("div", tag("dt", plain), tag("dd", statistic(name, subject.statistics[name])),
                unseen, class_="card")
        )  # fmt: skip
    return escaped([tag("dl", cards, class_="figures"), _span(subject)])


def _span(subject: Subject) -> Markup:
    """The bars, what holding them returned, and which Sharpe ratios stand on the page."""
    bars, holding = subject.bars, "Buy & Hold Return [%]"
    text = (
        f"From {day(bars.index[0])} to {day(bars.index[-1])}, {len(bars):,} bars. "
        f"{subject.bought} and holding to the last returned "
        f"{statistic(holding, subject.statistics[holding])}."
    )
    findings = subject.findings
    bootstrap = None if findings is None else findings.sharpe_bootstrap or findings.bootstrap
    if bootstrap is not None:
        name = sharpe_name(bootstrap)
        text += (
            " Sharpe Ratio is backtesting.py’s, which compounds returns first "
            f"({number(subject.statistics['Sharpe Ratio'])}); {name} is the one that luck is "
            "tested by, mean over deviation of each period’s return "
            f"({number(bootstrap.chosen)}). Both are annual."
        )
    return paragraph(text, class_="quiet")
