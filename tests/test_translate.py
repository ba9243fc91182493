"""`next` translated: what compiles does as Python does, and the rest is refused with a reason.

    pytest tests/test_translate.py --soak

runs all snippets; without it those that take no time, and one of each kind that does.
"""

from __future__ import annotations

import importlib.util
import re
import sys

import numpy as np
import pandas as pd
import pytest
from generated_strategies import make_strategy
from snippet_cases import COMPILED
from snippets import check, engine_of, refusal_of, snippet

from bigbar.compiled.translate.kinds import Symbols, kind_of
from bigbar.compiled.translate.parts import Parts
from bigbar.compiled.translate.purity import Purity
from bigbar.compiled.translate.sources import mangled, source_of

pytest.importorskip("bigbar.engines.general.engine")


@pytest.mark.parametrize("one", COMPILED)
def test_it_does_what_python_does(one):
    check(one)


# ---------------------------------------------------------------------------------------- refused


def refused(name, body, why, **more):
    return pytest.param(snippet(name, body, **more), why, id=name)


CHANGED = """
def bump(self):
    self.count += 1
    return self.count
"""

REFUSED = [
    refused("chance", "if random.random() > 0.5: self.buy()", r"random\(\) has no translation"),
    refused(
        "chance_in_a_function",
        "if coin(): self.buy()",
        "no translation",
        extra="def coin():\n    return np.random.rand() > 0.5",
    ),
    refused("the_clock", "if time.time() % 2 > 1: self.buy()", "no translation"),
    refused("the_date_of_today", "if datetime.datetime.now().hour > 1: self.buy()", "now"),
    refused("a_file", "if open('x').read(): self.buy()", r"open\(\) has no translation"),
    refused(
        "what_a_module_counts",
        "if tick() % 5 == 0: self.buy()",
        "an assignment to a place",
        extra="def tick():\n    COUNTER[0] += 1\n    return COUNTER[0]",
    ),
    refused(
        "python_on_what_changes",
        "self.count += 1\nif np.percentile([self.count, 3], 50) > 5: self.buy()",
        r"percentile\(\) has no translation",
        init="self.count = 0",
    ),
    refused(
        "what_an_effect_changes",
        "if self.count + self.bump() > 3: self.buy()",
        "it may change `self.count`, which stands before it; assign the one to a name first",
        init="self.count = 0",
        methods=CHANGED,
    ),
    refused("a_walrus", "if (x := self.data.Close[-1]) > 3: self.buy()", "NamedExpr"),
    refused(
        "a_function_inside_that_is_handed_on",
        "def up(): return self.ma[-1] > 3\nif ask(up): self.buy()",
        "is called from elsewhere; make it a method",
        extra="def ask(question):\n    if question():\n        return True\n    return False",
    ),
    refused(
        "a_function_inside_that_assigns_outside",
        "n = 0\ndef more():\n    nonlocal n\n    n += 1\n    return n\nif more() > 0: self.buy()",
        "Nonlocal",
    ),
    refused(
        "a_function_inside_that_calls_itself",
        "def up(n):\n    if n < 3: return up(n + 1)\n    return n\nif up(1) > 2: self.buy()",
        "is called from elsewhere",
    ),
    refused(
        "what_the_broker_does",
        "self._broker.new_order(1)",
        "'new_order' of the broker has no translation",
    ),
    refused(
        "an_array_in_place",
        "s = self.ma\ns += 1\nif s[-1] > 3: self.buy()",
        "changed in place",
    ),
    refused("what_is_printed", "print(self.buy())", "what is printed changes something"),
    refused(
        "a_trade_or_none",
        """
            found = None
            for trade in self.trades:
                if trade.pl > 0:
                    found = trade
                    break
            if found is not None:
                found.close()
        """,
        "different kinds of things",
    ),
    refused(
        "a_list_by_another_name",
        "r = self.prices\nr.append(1.0)\nif self.prices: self.buy()\nself.prices.pop()",
        "a list is changed by another name",
        init="self.prices = []",
    ),
    refused(
        "a_list_of_the_class",
        "self.prices.append(1.0)\nif len(self.prices) > 5: self.buy()",
        "the class's own list",
        attrs="prices = []",
    ),
    refused(
        "finally_behind_return",
        """
            try:
                if self.ma[-1] > 3: return
                self.buy()
            finally:
                self.count += 1
        """,
        "finally behind what leaves",
        init="self.count = 0",
    ),
    refused(
        "python_rounds",
        "if round(self.equity / 7, 2) > 3: self.buy()",
        "rounded to the nearest decimal; leave round",
    ),
    refused("a_size_that_is_an_array", "self.buy(size=self.ma)", "a size that is an array"),
    refused(
        "a_name_of_a_later_line",
        "if self.ma[-1] > 3:\n    self.buy(size=later)\nlater = 5",
        "'later' has no value here",
        extra="later = 3",
    ),
    refused("starred", "self.buy(**{})", r"\* or \*\* in a call"),
    refused(
        "a_number_now_text_then",
        "self.mode = 'a' if self.ma[-1] > 3 else 2",
        "text at one bar and a number at another",
        init="self.mode = 'a'",
    ),
    refused(
        "a_tuple_of_other_length",
        "self.pair = (1, 2)\nif self.ma[-1] > 3: self.pair = (1, 2, 3)\nif self.pair: self.buy()",
        "a tuple now of so many",
        init="self.pair = None",
    ),
]


@pytest.mark.parametrize(("one", "why"), REFUSED)
def test_it_is_refused(one, why):
    told = refusal_of(one)
    where = re.match(r"generated_\w+\.py:(\d+): `.+` cannot be compiled: (.+)", told)
    assert where, told
    assert re.search(why, where[2]), told
    assert 0 < int(where[1]) <= one.source.count("\n")


def test_a_decorator_is_refused():
    one = snippet("decorated", "self.buy()", extra="def kept(function):\n    return function")
    source = one.source.replace("    def next(self)", "    @kept\n    def next(self)")
    assert "it has a decorator; leave the decorator out" in refusal_of(one._replace(source=source))


def test_a_file_edited_since_its_import_is_refused(tmp_path):
    one = snippet("edited", "self.buy()")
    file = tmp_path / "edited_strategy.py"
    file.write_text(one.source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("edited_strategy", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["edited_strategy"] = module
    try:
        spec.loader.exec_module(module)
        file.write_text(one.source.replace("self.buy()", "self.sell()"), encoding="utf-8")
        engine = engine_of(module.Generated, module.GRID)
        engine._ready({"n": 10, "k": 2})
    finally:
        del sys.modules["edited_strategy"]
    assert "edited since it was imported; import the strategy again" in engine.refused


def test_what_the_compiler_does_not_take_is_refused(monkeypatch):
    from bigbar.engines.general import prepare

    def load(text):
        raise TypeError

    monkeypatch.setattr(prepare, "load", load)
    told = refusal_of(snippet("untaken", "self.buy()"))
    assert re.match(r"generated_\w+\.py:\d+: `def next` cannot be compiled: the compiler", told)


# --------------------------------------------------------------------------------------- its parts


def test_private_names_are_mangled_by_the_class_that_defines_them():
    assert mangled("__x", "Own") == mangled("__x", "_Own") == "_Own__x"
    assert mangled("__x__", "Own") == "__x__"
    assert mangled("__x", "__") == "__x"
    strategy = make_strategy(snippet("mangled", "self.__count = 1\nself._one = 2").source)
    tree = source_of(strategy.next, "Generated").tree
    assert {one.targets[0].attr for one in tree.body} == {"_Generated__count", "_one"}


def test_symbols_are_equal_where_values_are():
    symbols = Symbols()
    day = pd.Timestamp("2020-01-01")
    assert symbols.number("a") == symbols.number("a") != symbols.number("b")
    assert symbols.number(day) == symbols.number(pd.Timestamp("2020-01-01"))
    with pytest.raises(TypeError):
        symbols.number(day.to_pydatetime())  # Equals one of another type.
    with pytest.raises(TypeError):
        symbols.number(())
    with pytest.raises(TypeError):
        symbols.number([1])
    with pytest.raises(TypeError):
        symbols.number(float("nan"))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"), (np.True_, "numpy bool"), (3, "int"), (np.int64(3), "numpy int"),
        (2**60, "large int"), (0.5, "float"), (np.float64(0.5), "numpy float"), ("a", "text"),
        (np.float32(0.5), "float32"), (np.int8(3), "int8"), (None, "none"),
        ([1, 0.5], "list of float, int"), ([], "list of "), ((1, None), "tuple of int, none"),
        ([0] * 300, "long list"),
    ],
)  # fmt: skip
def test_kinds(value, kind):
    assert kind_of(value) == kind


PURE = {
    "self.data.Close[-1]": True,
    "np.percentile(self.data.Close[-5:], 50) > self.k": True,
    "[x for x in self.data.Close[-5:] if x > self.k]": True,
    "self.ma[-1] - period": True,
    "self.data.index[-1].weekday()": True,
    "helper(self.data.Close)": True,
    "in_place(self.data.Close)": False,
    "noisy(self.data.Close)": False,
    "self.count": False,
    "self.prices[-1]": False,
    "self.position.size": False,
    "self.equity": False,
    "self.trades": False,
    "self.box['n']": False,
    "random.random()": False,
    "np.random.rand()": False,
    "time.time()": False,
    "datetime.datetime.now()": False,
    "pd.Timestamp.today()": False,
    "print(1)": False,
    "self.buy()": False,
    "self.own()": True,
    "self.other()": False,
    "self": False,
}


@pytest.fixture(scope="module")
def judge():
    import ast

    from real_strategies import bars

    from bigbar.compiled.translate.parts import lookup
    from bigbar.compiled.translate.states import find_state
    from bigbar.engines.any_strategy.run import StrategyRunner

    one = snippet(
        "judged",
        "self.count += 1\nself.prices.append(1)\nself.box['n'] = 1\nself.own(); self.other()",
        init="self.count = 0; self.prices = []; self.box = {'n': 0}",
        extra="def helper(x):\n    total = 1\n    total += x[-1]\n    return total\n"
        "def in_place(x):\n    total = x[-1]\n    total += 1\n    return total\n"
        "def noisy(x):\n    return x[-1] + np.random.normal()",
        methods="def own(self): return self.ma[-1]\ndef other(self): return self.count",
    )
    strategy = make_strategy(one.source)
    ready, *_ = StrategyRunner(bars("GOOG"), strategy).ready({}, lambda one: one.init())
    purity = Purity(ready, frozenset(find_state(strategy)), Parts())
    names = {"self": ready}

    def known(name):
        return names[name] if name in names else lookup(strategy.next, name)

    return lambda text: purity.of(ast.parse(text, mode="eval").body, {}, known)


@pytest.mark.parametrize(("text", "pure"), PURE.items())
def test_what_python_can_evaluate_once_a_bar(judge, text, pure):
    assert judge(text) is pure
