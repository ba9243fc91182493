"""Python's ways that look like plain values and functions, and are not: refused, or as Python.

And a program is never used after something that it was made of has changed.
"""

from __future__ import annotations

import types

import numpy as np
import pytest
from real_jobs import check_same, job_of
from real_strategies import bars
from snippets import engine_of, make_strategy, snippet

from bigbar.engines.runner import RunnerEngine

TRADE = """
if len(self.data) % 7 == 0:
    self.buy(size=1)
elif len(self.data) % self.n == 0:
    self.position.close()
"""
GRID = [{"n": n, "m": m} for n in (3, 5) for m in (0, 1)]


def strategy_of(name: str, test: str, **more: str) -> type:
    body = f"if self.m == 1 and {test}:\n    return\n{TRADE}"
    one = snippet(name, body, attrs="n, m = 3, 0", grid=repr(GRID), **more)
    return make_strategy(one.source)


def check(strategy: type, *, refused: str | None = None) -> None:
    """Whatever is compiled of it is what Python does."""
    ours = engine_of(strategy, GRID)
    job = job_of(strategy, GRID, {"cash": 10_000})
    check_same(ours, RunnerEngine(bars("GOOG"), job), range(len(GRID)))
    if refused is not None:
        assert ours.refused is not None
        assert refused in ours.refused


COMPUTED = {
    "cached_property": (
        "self.data.Close[-1] < self.first",
        "from functools import cached_property",
        "@cached_property\ndef first(self): return self.data.Close[-1]",
        "pass",
        "'first' is computed when it is asked for",
    ),
    "a setter": (
        "self.bumped() == 5",
        "",
        "@property\ndef lv(self): return self._lv + 1\n"
        "@lv.setter\ndef lv(self, v): self._lv = v % 11\n"
        "def bumped(self):\n    self.lv = self.lv + 1\n    return self.lv",
        "self.lv = 0",
        "assigning it runs code of its own",
    ),
    "__getattr__": (
        "self.skip",
        "",
        "def __getattr__(self, name):\n    if name == 'skip': return len(self.data) % 5 == 0\n"
        "    raise AttributeError(name)",
        "pass",
        "what it makes of attributes is not known",
    ),
    "__setattr__": (
        "self.counted() == 8",
        "",
        "def __setattr__(self, name, value):\n"
        "    super().__setattr__(name, value % 9 if name == 'k' else value)\n"
        "def counted(self):\n    self.k += 1\n    return self.k",
        "self.k = 0",
        "what it makes of attributes is not known",
    ),
    "a descriptor": (
        "self.odd",
        "class Odd:\n    def __get__(self, one, kind=None): return one and len(one.data) % 2 == 1",
        "odd = Odd()",
        "pass",
        "'odd' is computed when it is asked for",
    ),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_attributes_that_are_computed(name):
    test, extra, methods, init, why = COMPUTED[name]
    label = "".join(one for one in name if one.isalpha())
    strategy = strategy_of(f"computed_{label}", test, extra=extra, methods=methods, init=init)
    check(strategy, refused=why)


TOP = """
class Top:
    v = 0.0
    def __call__(self, x):
        self.v = max(self.v, x)
        return self.v
    def up(self, x):
        self.v = max(self.v, x)
        return self.v
"""
MEMORY = """
MEM = {"last": 0.0}
SEEN = []
def note(x):
    MEM["last"] = x
    return x
def alias(x):
    m = MEM
    before = m["last"]
    m["last"] = x
    return before
def longer(x):
    seen = SEEN
    seen += [x]
    return len(seen)
def partly(x, y):
    return alias(x) + y
"""
STATEFUL = {
    "an object that is called": ("self.data.Close[-1] < self.top(self.data.Close[-1]) * .9", TOP,
                                 "self.top = Top()"),
    "its method": ("self.data.Close[-1] < self.top.up(self.data.Close[-1]) * .9", TOP,
                   "self.top = Top()"),
    "a function that is handed on": ("sum(map(note, [self.data.Close[-1]])) < MEM['last'] * .9",
                                     MEMORY, "MEM['last'] = 0.0"),
    "another name for a global": ("self.data.Close[-1] < alias(self.data.Close[-1])", MEMORY,
                                  "MEM['last'] = 0.0"),
    "adding in place": ("longer(self.data.Close[-1]) % 3 == 0", MEMORY, "SEEN.clear()"),
    "part of a call": ("functools.partial(partly, 1.0)(self.data.Close[-1]) % 3 > 1",
                       "import functools\n" + MEMORY, "MEM['last'] = 0.0"),
    "a vectorized function": ("np.vectorize(alias)(self.data.Close[-1]) > self.data.Close[-1]",
                              MEMORY, "MEM['last'] = 0.0"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATEFUL)
def test_what_remembers_earlier_calls_is_not_asked_once_a_bar(name):
    test, extra, init = STATEFUL[name]
    label = name.replace(" ", "_")
    check(strategy_of(f"stateful_{label}", test, extra=extra, init=init))


def test_an_answer_that_changes_leaves_the_combination_to_python():
    body = """
    if self.position:
        if len(self.data) % self.n == 0: self.position.close()
    elif latch(self.data.Close[-1]): self.buy(size=1)
    """
    extra = (
        MEMORY
        + """
def latch(x):
    m = MEM
    if x > m["last"] * 1.02 or x < m["last"] * .98: m["last"] = x
    return m["last"] == x
"""
    )
    one = snippet("a_latch", body, attrs="n, m = 3, 0", extra=extra, init="MEM['last'] = 0.0",
                  grid=repr(GRID))  # fmt: skip
    check(make_strategy(one.source))


# ----------------------------------------------------------------------- what it was made of

READS = """
import types
TABLE = {"every": 9, "deep": {"x": 9}}
LIST = [9, 4]
PAIR = (9, [9])
ARRAY = np.array([9, 4])
NUMBER = 9
box = types.SimpleNamespace(table={"every": 9}, lst=[9], number=9)
class Cfg:
    table = {"every": 9}
    lst = [9]
def of_default(x, every=9): return x % every != 0
def of_keyword(x, *, every=9): return x % every != 0
def of_global(x): return x % TABLE["every"] != 0
def through(x): return of_global(x)
class Base(Strategy):
    def helper(self): return len(self.data) % 9 != 0
    @property
    def prop(self): return len(self.data) % 9 != 0
    def next(self): self.marked = len(self.data) % 9 != 0
"""
LENGTH = "len(self.data)"
EDITS = {
    "a dictionary": (f"{LENGTH} % TABLE['every'] != 0", lambda m: m["TABLE"].update(every=13)),
    "one inside another": (
        f"{LENGTH} % TABLE['deep']['x'] != 0", lambda m: m["TABLE"]["deep"].update(x=13),
    ),
    "a list": (f"{LENGTH} % LIST[0] != 0", lambda m: m["LIST"].__setitem__(0, 13)),
    "how long a list is": (f"{LENGTH} % len(LIST) != 0", lambda m: m["LIST"].append(1)),
    "the largest of a list": (f"{LENGTH} % max(LIST) != 0", lambda m: m["LIST"].append(13)),
    "a list in a tuple": (f"{LENGTH} % PAIR[1][0] != 0", lambda m: m["PAIR"][1].__setitem__(0, 13)),
    "an array": (f"{LENGTH} % int(ARRAY[0]) != 0", lambda m: m["ARRAY"].__setitem__(0, 13)),
    "a number": (f"{LENGTH} % NUMBER != 0", lambda m: m.update(NUMBER=13)),
    "an object's dictionary": (
        f"{LENGTH} % box.table['every'] != 0", lambda m: m["box"].table.update(every=13),
    ),
    "an object's number": (
        f"{LENGTH} % box.number != 0", lambda m: setattr(m["box"], "number", 13),
    ),
    "a class's dictionary": (
        f"{LENGTH} % Cfg.table['every'] != 0", lambda m: m["Cfg"].table.update(every=13),
    ),
    "a class's list": (
        f"{LENGTH} % Cfg.lst[0] != 0", lambda m: m["Cfg"].lst.__setitem__(0, 13),
    ),
    "a default": (
        f"of_default({LENGTH})", lambda m: setattr(m["of_default"], "__defaults__", (13,)),
    ),
    "a keyword's default": (
        f"of_keyword({LENGTH})",
        lambda m: setattr(m["of_keyword"], "__kwdefaults__", {"every": 13}),
    ),
    "a global of a function": (f"of_global({LENGTH})", lambda m: m["TABLE"].update(every=13)),
    "one of a function's function": (f"through({LENGTH})", lambda m: m["TABLE"].update(every=13)),
    "of what Python evaluates": (
        f"sorted([{LENGTH} % TABLE['every'], 0])[-1] != 0", lambda m: m["TABLE"].update(every=13),
    ),
    "a method of the base, overridden": (
        "self.helper()",
        lambda m: setattr(m["Generated"], "helper", lambda self: len(self.data) % 13 != 0),
    ),
    "a property of the base, overridden": (
        "self.prop",
        lambda m: setattr(m["Generated"], "prop", property(lambda self: len(self.data) % 13 != 0)),
    ),
    "the base": ("self.helper()", lambda m: setattr(m["Base"], "helper", _every_13)),
}  # fmt: skip


def _every_13(self):
    return len(self.data) % 13 != 0


@pytest.mark.parametrize("name", EDITS)
def test_after_a_change_a_program_is_made_anew(name):
    test, edit = EDITS[name]
    label = "".join(one for one in name if one.isalpha())
    strategy = strategy_of(label, test, extra=f"{READS}\n# {name}\n", base="Base")
    scope = vars(strategy)["next"].__globals__
    before = engine_of(strategy, GRID)
    rows = before.run(0, len(GRID))
    assert before.refused is None, before.refused
    edit(scope)
    after = engine_of(strategy, GRID)
    expected = RunnerEngine(bars("GOOG"), job_of(strategy, GRID, {"cash": 10_000}))
    check_same(after, expected, range(len(GRID)))
    assert not np.array_equal(rows, expected.run(0, len(GRID)), equal_nan=True)


@pytest.mark.slow
def test_an_init_that_exchanges_what_next_reads():
    extra = 'TABLE = {"every": 9}\nLIST = []\n'
    strategy = strategy_of(
        "exchanged", "len(self.data) % TABLE['every'] != len(LIST)", extra=extra,
        init="TABLE['every'] = 4 + self.n\nLIST[:] = [0] * (self.n - 3)",
    )  # fmt: skip
    check(strategy)
    assert isinstance(vars(strategy)["next"], types.FunctionType)


# ----------------------------------------------------------------------- what raises unread

#: What raises now and then, in a `try` or not, though nobody reads what comes of it.
UNREAD = {
    "a statement": "self.days[len(self.data)]",
    "a place of the table": "self.data.df.iloc[-150]",
    "a name": "x = self.days[len(self.data)]",
    "a name for what is no number": "x = [self.days[len(self.data)]]",
    "a division": "x = 1 / (len(self.data) - 300)",
    "whole numbers of NaN": "x = int(self.holes[-1])",
    "several": "x, y = self.days[len(self.data)], 3",
    "an argument": "x = one(self.days[len(self.data)])",
    "an argument that is read now and then": "x = either(0, self.ma[-150])",
    "an argument of a method": "x = self.first(3, 1 / (len(self.data) % 5))",
    "an item": "x = (1 / (self.count % 5), 3)[1]\nself.count += 1",
    "how many items": "x = len((1 / (self.count % 5), 3))\nself.count += 1",
    "items of which one is found": "x = 3 in (3, 1 / (self.count % 5))\nself.count += 1",
    "a trade": "self.trades[0]",
    "whether there is a trade": "if self.trades[0]: pass",
    "a trade that is not None": "x = self.closed_trades[0] is None",
    "the exit of an open trade": "x = self.trades[0].exit_price is None",
    "an order": "x = self.orders[0]",
    "a time": "if self.data.index[-150]: pass",
    "under a condition": "if self.position or self.count == 0:\n    x = self.days[len(self.data)]",
}
DAYS = """
self.days = {j: 1 for j in range(3000) if j != 300}
self.holes = self.I(lambda x: np.where(np.arange(len(x)) == 299, np.nan, 3.0), self.data.Close)
self.count = 0
"""
CAUGHT = """
try:
    {}
except (IndexError, KeyError, ValueError, ZeroDivisionError):
    self.position.close()
    return
"""
CROSSES = """
if crossover(self.ma, self.mb):
    self.buy(size=1)
elif crossover(self.mb, self.ma):
    self.position.close()
"""


@pytest.mark.parametrize("name", UNREAD)
def test_what_raises_is_noticed_though_nobody_reads_it(name):
    caught = CAUGHT.format(UNREAD[name].replace("\n", "\n    "))
    extra = "def one(x): return 1\ndef either(a, b): return b if a > 0 else 0\n"
    for place, text in enumerate((caught, UNREAD[name] + "\n")):
        one = snippet(
            f"unread_{place}", text + CROSSES, init=DAYS, extra=f"{extra}\n# {name}\n",
            methods="def first(self, a, b): return a", grid="({'n': 7, 'k': 1},)",
        )  # fmt: skip
        strategy = make_strategy(one.source)
        grid = [{"n": 7, "k": 1}]
        ours = engine_of(strategy, grid)
        job = job_of(strategy, grid, {"cash": 10_000})
        check_same(ours, RunnerEngine(bars("GOOG"), job), range(1))
        assert ours.refused is None, ours.refused


def test_a_loop_over_what_its_body_changes():
    body = "for v in (self.count, self.count + 1): self.count += v % 3\n"
    body += "if self.count % 4 == 0: self.buy(size=1)\nelse: self.position.close()"
    one = snippet("a_loop_over_state", body, init="self.count = 0", grid=repr(GRID))
    check(make_strategy(one.source.replace("n = 10", "n, m = 10, 0")))


WRITES = {
    "heappush": "heapq.heappush(self.past, self.data.Close[-1])",
    "__setitem__": "self.past.__setitem__(slice(0, 0), [1])",
    "copyto": "np.copyto(self.some, self.some + 1)",
    "a third argument": "np.add(self.some, 1, self.some)",
    "a lambda's default": "(lambda x=heapq.heappush(self.past, 1): x)()",
}


@pytest.mark.parametrize("name", WRITES)
def test_what_writes_into_its_argument_is_no_plain_value(name):
    body = f"{WRITES[name]}\nif (len(self.past) + int(self.some[0])) % 5 == 0: self.buy(size=1)\n"
    body += "elif len(self.data) % 7 == 0: self.position.close()"
    init = "self.past = []\nself.some = np.zeros(1)"
    one = snippet("writes", body, init=init, extra=f"import heapq\n# {name}\n", grid=repr(GRID))
    check(make_strategy(one.source.replace("n = 10", "n, m = 10, 0")))
