"""Options that depend on the strategy: which it is, its points, its account."""

import pytest

from bigbar.account import Account
from bigbar.errors import SettingsError
from bigbar.options import parse_options
from bigbar.spec import StrategySpec
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.big_bar.parameters import big_bar_account
from bigbar.strategies.sma_cross import SmaCross

CROSS = ("f", "--strategy", "sma_cross")
SOME = (*CROSS, "--param", "fast=5,10")


def request(*words):
    return parse_options(words).request


def refused(*words):
    with pytest.raises(SettingsError) as caught:
        parse_options(words)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_without_a_strategy_it_is_big_bar():
    assert request("f").spec == request("f", "--strategy", "big_bar").spec == BigBar()
    assert request("f", "--week-edge-bars", "3").spec == BigBar(week_edge_bars=3)
    assert request("f").account == big_bar_account()


def test_another_one_has_the_defaults_of_backtest():
    found = request(*SOME)
    assert found.spec == StrategySpec.of(SmaCross)
    assert found.account == Account()
    assert found.engine == "auto"


@pytest.mark.parametrize(
    "words",
    [["--strategy=sma_cross"], ["--strateg", "sma_cross"], ["--strat=sma_cross"]],
)
def test_however_it_is_written(words):
    found = request("f", *words, "--param", "fast=5,10", "--trade-on-close")
    assert found.spec == StrategySpec.of(SmaCross)
    assert found.account.trade_on_close


@pytest.mark.parametrize(
    ("options", "account"),
    [
        ([], Account()),
        (["--trade-on-close"], Account(trade_on_close=True)),
        (["--exclusive-orders", "--hedging"], Account(exclusive_orders=True, hedging=True)),
        (["--finalize-trades"], Account(finalize_trades=True)),
        (["--cash", "500", "--margin", "0.1"], Account(cash=500, margin=0.1)),
        (["--commission", "0.002", "--spread", "0.01"], Account(commission=0.002, spread=0.01)),
        (["--commission", "5,0.002"], Account(commission=(5, 0.002))),
    ],
)
def test_the_account(options, account):
    assert request(*SOME, *options).account == account


def test_the_points():
    found = request(
        *CROSS, "--param", "slow=20:40:10", "--param", "fast = 5, 10", "--constraint",
        "fast < slow", "--constraint", "slow != 30",
    ).space  # fmt: skip
    assert found.names == ("slow", "fast")
    assert list(found) == [
        {"slow": slow, "fast": fast} for slow in (20, 40) for fast in (5, 10)
    ]  # fmt: skip


def test_big_bars_parameters_go_by_param_as_well():
    found = request("f", "--param", "k_atr=1,2", "--atr-period", "10", "--constraint", "k_atr > 1")
    assert found.space.parameters[1].values == (1.0, 2.0)
    assert {point["k_atr"] for point in found.space} == {2.0}


def test_one_backtest():
    alone = request(*CROSS, "--no-optimize")
    assert list(alone.space) == [{}]
    assert list(request(*CROSS, "--no-optimize", "--param", "slow=9").space) == [{"slow": 9}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (CROSS, "SmaCross needs --param, once for each parameter to optimize. Its attributes: "
         "fast = 10, slow = 30. To start from: --strategy bigbar.strategies.sma_cross:SmaCross "
         "--param fast=5:20:2 --param slow=15:60:7"),
        ((*CROSS, "--param", "fast"), "--param 'fast': write NAME=VALUES, such as"),
        ((*CROSS, "--param", "=5"), "write NAME=VALUES"),
        ((*CROSS, "--param", "fast="), "fast '' has an empty value"),
        ((*CROSS, "--param", "fast=1:x:2"), "'x' is not a number"),
        ((*CROSS, "--param", "fast=5-10"), "fast '5-10' is no number, and the strategy has 10"),
        ((*SOME, "--param", "fast=7"), "--param fast is given twice"),
        ((*CROSS, "--param", "fsat=5"), "SmaCross has no parameter 'fsat'; did you mean fast?"),
        *(
            ((*CROSS, "--param", f"{name}=3"),
             f"SmaCross has no parameter {name!r} (that is a part of every strategy)")
            for name in ("I", "init", "next", "data", "equity", "buy", "position")
        ),
        ((*CROSS, "--param", "_x=3"), "SmaCross has no parameter '_x'; it has fast, slow"),
        ((*SOME, "--constraint", "fast / 0 > 1"), "divides by zero at fast"),
        ((*SOME, "--constraint", "fast > 10"), "of 2 combinations none meets it"),
        ((*SOME, "--constraint", "fast > slow"), "of 2 combinations none meets it"),
        ((*SOME, "--constraint", "fast > slw"), "'slw' is none of the parameters of this grid"),
        ((*SOME, "--k-atr", "2"), "--k-atr belongs to BigBar; the parameters of SmaCross go by"),
        ((*SOME, "--k_atr=2"), "--k-atr belongs to BigBar"),
        ((*SOME, "--week-edge-bars", "0"), "--week-edge-bars belongs to BigBar"),
        ((*SOME, "--engine", "general"), "--engine: 'general' is none of auto, compiled"),
        ((*CROSS, "--no-optimize", "--param", "fast=5,6"), "but fast was given several values"),
        (("f", "--strategy"), "--strategy needs a name, file.py:Class or package.module:Class"),
        (("f", "--strategy", "smacross"), "did you mean 'sma_cross'?"),
        (("f", "--strategy", "no_such_file.py:A"), "no_such_file.py is no such file"),
        (("f", "--hedging"), "--hedging cannot be chosen for BigBar: it is always run with "
         "hedging=False"),
        (("f", "--trade-on-close"), "it is always run with trade_on_close=True"),
        (("f", "--param", "katr=2"), "BigBar has no parameter 'katr'; did you mean k_atr?"),
        (("f", "--param", "k_atr=2", "--k-atr", "3"), "--param k_atr is given twice"),
    ],
)  # fmt: skip
def test_what_is_refused(words, said):
    assert said in refused(*words)


def test_help_is_that_of_the_strategy(capsys):
    for words, there, not_there in (
        (("--help", "all"), "allow trades in both directions at the same time; only", "--fast"),
        (("--help", "all"), "--k-atr", "--fast"),
        ((*CROSS, "--help", "all"), "--hedging", "--k-atr"),
        ((*CROSS, "--help", "all"), "--hedging", "; only with --strategy"),
    ):
        with pytest.raises(SystemExit):
            parse_options(words)
        shown = " ".join(capsys.readouterr().out.split())
        assert there in shown
        assert not_there not in shown
        assert "--param" in shown
