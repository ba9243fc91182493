"""The command line's options that depend on the strategy, and what they come to."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace

from bigbar.account import Account, Commission
from bigbar.command_line import OnceParser, at_least, given_twice, number
from bigbar.constraint import Constraint
from bigbar.errors import SettingsError
from bigbar.space import Space
from bigbar.spec import StrategySpec
from bigbar.strategies.find import DEFAULT, find_strategy
from bigbar.units import counted

#: Of `backtesting.Backtest`, with what they do.
FILLS = {
    "trade_on_close": "fill market orders at the close of their bar, not at the next open",
    "exclusive_orders": "each order closes what is open",
    "hedging": "allow trades in both directions at the same time",
    "finalize_trades": "close what is open on the last bar",
}


def named_strategy(arguments: Sequence[str], default: str = DEFAULT) -> str:
    """What a command line names as its strategy, before anything else of it is read.

    The option may be cut short like any other; then the default is the answer here, and reading
    the whole line gives another.

    Raises
    ------
    SettingsError
        If nothing follows the option, or it is given twice.
    """
    first = OnceParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--strategy", default=default)
    try:
        given, _ = first.parse_known_args(list(arguments))
    except argparse.ArgumentError:
        raise SettingsError(
            "--strategy needs a name, file.py:Class or package.module:Class"
        ) from None
    name: str = given.strategy
    return name


def strategy_of(name: str, arguments: Sequence[str]) -> StrategySpec:
    """The strategy that a command line names.

    Raises
    ------
    SettingsError
        If there is no such strategy, it cannot be imported, or the line has options of another.
    """
    spec = find_strategy(name)
    if not spec.default_grid:
        _refuse_foreign(arguments, spec)
    return spec


def _refuse_foreign(arguments: Sequence[str], spec: StrategySpec) -> None:
    """Options of the strategy that comes along, given for another one."""
    default = find_strategy(DEFAULT)
    own = {option(name): name for name in (*default.default_grid, *default.settings)}
    for argument in arguments:
        name = own.get(argument.partition("=")[0].replace("_", "-"))
        if name is not None:
            raise SettingsError(
                f"{option(name)} belongs to {default.title}; the parameters of {spec.title} go by "
                "--param NAME=VALUES"
            )


def option(name: str) -> str:
    """`--week-edge-bars` of `week_edge_bars`."""
    return "--" + name.replace("_", "-")


def add_strategy(parser: argparse.ArgumentParser, spec: StrategySpec) -> None:
    """Which strategy, and its points."""
    group = parser.add_argument_group(
        "strategy and grid",
        "Values as start:stop:step (ends included), a,b,c or one value.",
    )
    group.add_argument(
        "--strategy",
        metavar="WHICH",
        default=DEFAULT,
        help="file.py:Class, package.module:Class, or a name that 'bigbar strategies' lists "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--param",
        metavar="NAME=VALUES",
        action="append",
        help="a parameter of the strategy, a class attribute, with the values to try; once for "
        "each (default: none)",
    )
    group.add_argument(
        "--constraint",
        metavar="CONDITION",
        action="append",
        help="only combinations that meet it, such as 'fast < slow' (default: all)",
    )
    for name, default in spec.default_grid.items():
        text = f"{spec.help.get(name, name)} (default: {default})"
        group.add_argument(option(name), metavar="AXIS", default=None, help=text)
    for name, value in spec.settings.items():
        group.add_argument(
            option(name),
            metavar="N",
            type=at_least(0) if isinstance(value, int) else number,
            default=value,
            help=f"{spec.help.get(name, name)} (default: %(default)s)",
        )


def add_account(parser: argparse.ArgumentParser, spec: StrategySpec) -> None:
    """Money, costs and fills."""
    group = parser.add_argument_group("money, costs and fills", "As in backtesting.Backtest.")
    account = spec.default_account()
    group.add_argument(
        "--cash",
        metavar="AMOUNT",
        type=number,
        default=account.cash,
        help="starting cash (default: %(default)s)",
    )
    group.add_argument(
        "--commission",
        metavar="SHARE",
        default="0",
        help="share of the order's value, or FIXED,SHARE, at entry and exit (default: %(default)s)",
    )
    group.add_argument(
        "--spread",
        metavar="SHARE",
        type=number,
        default=account.spread,
        help="bid-ask spread, a share of the price (default: %(default)s)",
    )
    group.add_argument(
        "--margin",
        metavar="SHARE",
        type=number,
        default=account.margin,
        help="margin requirement; 0.02 is leverage 50 (default: %(default)s)",
    )
    for name, text in FILLS.items():
        if name in spec.account_options:
            group.add_argument(option(name), action="store_true", help=text)
        else:
            group.add_argument(
                option(name), action="store_true", help=f"{text}; only with --strategy"
            )


def described_by(spec: StrategySpec, given: argparse.Namespace) -> StrategySpec:
    """The strategy with its settings as given."""
    settings = {name: getattr(given, name) for name in spec.settings}
    return replace(spec, **settings)


def product_of(spec: StrategySpec, given: argparse.Namespace) -> Space:
    """All combinations of the values that a command line gives, whatever their number.

    Raises
    ------
    SettingsError
        If they cannot be read.
    """
    texts = {name: text for name in spec.default_grid if (text := getattr(given, name)) is not None}
    for typed in given.param or ():
        name, equals, values = typed.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SettingsError(
                f"--param {typed!r}: write NAME=VALUES, such as --param fast=5:50:5"
            )
        if name in texts:
            raise given_twice(f"--param {name}", texts[name], values)
        texts[name] = values
    if not given.no_optimize:
        return spec.grid(texts)
    space = spec.single(texts)
    several = next((each.name for each in space.varying), None)
    if several is not None:
        raise SettingsError(
            f"--no-optimize runs one backtest, but {several} was given several values; give "
            "one value, or leave --no-optimize out"
        )
    return space


def constraints_of(
    spec: StrategySpec, product: Space, given: argparse.Namespace
) -> list[Constraint]:
    """The conditions that a command line gives.

    Raises
    ------
    SettingsError
        If one cannot be read.
    """
    return [Constraint(text, product.names, spec.attributes) for text in given.constraint or ()]


def constrained(space: Space, constraints: Sequence[Constraint]) -> Space:
    """The points that meet some conditions.

    Raises
    ------
    SettingsError
        If there is none, or one of them too many to hold.
    """
    for constraint in constraints:
        try:
            space = space.where(constraint)
        except SettingsError as problem:
            if "No admissible" not in str(problem):
                raise
            raise SettingsError(
                f"--constraint {constraint.text!r}: of {counted(len(space), 'combination')} none "
                "meets it"
            ) from None
    return space


def account_of(spec: StrategySpec, given: argparse.Namespace) -> Account:
    """The account that a command line asks for.

    Raises
    ------
    SettingsError
        If a value makes no sense, or the strategy is never run so.
    """
    account = replace(
        spec.default_account(),
        cash=given.cash,
        commission=_commission(given.commission),
        spread=given.spread,
        margin=given.margin,
    )
    for name in FILLS:
        if not getattr(given, name):
            continue
        if name not in spec.account_options:
            raise SettingsError(
                f"{option(name)} cannot be chosen for {spec.title}: it is always run with "
                f"{name}={getattr(account, name)}"
            )
        account = replace(account, **{name: True})
    return account


def _commission(text: str) -> Commission:
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError:
        parts = []
    if len(parts) == 1 and math.isfinite(parts[0]):
        return parts[0]
    if len(parts) == 2:
        return parts[0], parts[1]
    raise SettingsError(
        f"--commission {text!r}: give a share such as 0.001, or FIXED,SHARE such as 5,0.001"
    )
