"""What `bigbar explain` says to write instead, for what is refused most."""

import pytest
from test_docs import _AROUND, _INSTEAD

import bigbar
from bigbar.instead import instead_of

MORE = (
    ("with open('x') as file: pass", "read files in init"),
    ("for x in {1, 2}: pass", "loop over a tuple or a list"),
    ("eval('1')", "write out what it evaluates"),
    ("global foo", "keep it in an attribute of self"),
    ("self.past.sort()", "assign sorted(…) of it"),
    ("x = time.time()", "self.data.index[-1]"),
    ("x = np.random.rand()", "draw in init with a seed"),
    ("self.count = self.missing", "set it in init"),
)


@pytest.fixture(scope="module")
def why(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")

    def of(code: str) -> str:
        file = folder / f"refused_{len(list(folder.iterdir()))}.py"
        file.write_text(f"{_AROUND}{code}\n", encoding="utf-8")
        told = bigbar.explain(f"{file}:Around")
        assert repr(told) == str(told), "as a notebook and a prompt show it"
        (line,) = (one for one in told.lines if one.why)
        return line.why

    return of


@pytest.mark.parametrize("code", [row[0] for row in _INSTEAD])
def test_what_the_page_has_an_answer_for_gets_one(why, code):
    assert "; " in why(code)


@pytest.mark.parametrize(("code", "instead"), MORE)
def test_common_refusals(why, code, instead):
    assert instead in why(code)


def test_nothing_is_made_up():
    assert instead_of("(yield 1)", "Yield is not known") == ""


def test_names_are_those_that_were_written(why):
    told = why("        self.mine = [trade for trade in self.trades if trade.is_long]")
    assert told.startswith("`trade`: ")
