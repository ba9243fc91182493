"""What a trader reads of an exception: its cause, not what was made of it."""

import json
import traceback
import warnings

import pandas as pd
import pytest
import traders
from backtesting import Strategy

import bigbar
from bigbar.causes import cause_and_place, cause_in, cause_of
from bigbar.report.answer import answer

FRAME = traders.google(300).frame


def sentiment(values, n):
    if n == 4:
        raise LookupError("no sentiment for 2004\nask for another year\n\nsee the manual")
    return pd.Series(values).rolling(n).mean()


class Sentiment(Strategy):
    n = 3

    def init(self):
        self.sent = self.I(sentiment, self.data.Close, self.n, name="sent")

    def next(self):
        if len(self.data) % 5 == 0:
            self.buy(size=1)
        elif len(self.data) % 7 == 0:
            self.position.close()


CAUSE = "LookupError: no sentiment for 2004"


def test_the_cause_is_told_with_the_failures():
    found = bigbar.optimize(FRAME, Sentiment, n=[3, 4], workers=1, validate=False, verify=0)
    text = answer(found.outcome, files=[])
    assert f"test_causes.py:21: {CAUSE}" in text
    assert "See traceback above" not in text


def test_the_cause_is_told_in_a_warning():
    backtest = bigbar.Backtest(FRAME, Sentiment)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        backtest.optimize(n=[3, 4], workers=1, validate=False)
    assert [str(one.message) for one in told if CAUSE in str(one.message)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("raise ValueError", "ValueError"),
        (r"raise ValueError('a\nb')", "ValueError: a"),
        (
            "try:\n 1 / 0\nexcept Exception as e:\n raise KeyError('x') from e",
            "ZeroDivisionError: division by zero",
        ),
        ("try:\n 1 / 0\nexcept Exception:\n raise KeyError('no level')", "KeyError: 'no level'"),
        ("try:\n 1 / 0\nexcept Exception:\n raise KeyError('x') from None", "KeyError: 'x'"),
    ],
)
def test_causes(text, wanted):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - all kinds of them
        exec(text, {})
    assert cause_in(raised.value) == wanted
    assert cause_of("".join(traceback.format_exception(raised.value))) == wanted


def test_the_line_of_the_traders_own_code_is_told(tmp_path):
    file = tmp_path / "my.py"
    file.write_text("import json\ndef read():\n    return json.loads('{')\n")
    code = compile(file.read_text(), str(file), "exec")
    own: dict = {}
    exec(code, own)
    with pytest.raises(json.JSONDecodeError) as raised:
        own["read"]()
    told = cause_and_place("".join(traceback.format_exception(raised.value)))
    assert told.startswith("my.py:3: json.decoder.JSONDecodeError: ")


def test_what_is_no_traceback_stays():
    assert (
        cause_of("its worker died 2 times (was killed)") == "its worker died 2 times (was killed)"
    )
    assert cause_of("") == cause_and_place("") == "no reason is known"
