"""Which price files are meant: named one by one, by a folder, by a pattern."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.data.many import Source, several, stem_of
from bigbar.errors import SettingsError
from bigbar.options import parse_options


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with price files, and some that are none."""
    monkeypatch.chdir(tmp_path)
    for name in (
        *("data/b.csv", "data/a.csv", "data/c.csv.gz", "data/D.PARQUET", "data/.hidden.csv"),
        *("data/notes.md", "data/below/e.csv", "other/a.csv", "empty/readme", "odd[1].csv"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    return tmp_path


def named(*words: str) -> list[tuple[str, str]]:
    found = several(words)
    assert found is not None
    return [(source.path, source.name) for source in found.files]


@pytest.mark.usefixtures("here")
def test_one_file_is_one_file():
    for word in ("data/a.csv", "not_there.csv", "-", "odd[1].csv"):
        assert several([word]) is None


@pytest.mark.usefixtures("here")
def test_a_folder_means_its_price_files_by_name():
    expected = ["D.PARQUET", "a.csv", "b.csv", "c.csv.gz"]
    assert named("data") == [(os.path.join("data", name), name.split(".")[0]) for name in expected]
    assert several(["data/"]) == several(["data"])


@pytest.mark.usefixtures("here")
def test_a_pattern_is_spelled_out():
    assert [path for path, _ in named("data/*.csv")] == ["data/a.csv", "data/b.csv"]
    assert [path for path, _ in named("data/[a]*")] == ["data/a.csv"]
    assert "data/below/e.csv" in [path for path, _ in named("data/**/*.csv")]
    assert named("odd[1].csv", "data/a.csv")[0] == ("odd[1].csv", "odd[1]")


@pytest.mark.usefixtures("here")
def test_equal_stems_are_numbered_and_no_name_is_taken_twice():
    assert named("data/a.csv", "other/a.csv") == [("data/a.csv", "a"), ("other/a.csv", "a_2")]
    Path("a_2.csv").touch()
    Path("A.csv").touch()
    found = named("data/a.csv", "other/a.csv", "a_2.csv", "A.csv")
    assert [name for _, name in found] == ["a", "a_3", "a_2", "A_4"]


@pytest.mark.usefixtures("here")
def test_the_same_file_counts_once():
    os.symlink("a.csv", "data/link.csv")
    found = several(["data/a.csv", "./data/a.csv", "data/link.csv", "data/b.csv", "data/b.csv"])
    assert found is not None
    assert [source.path for source in found.files] == ["data/a.csv", "data/b.csv"]
    assert found.notes == (
        "./data/a.csv is data/a.csv: it counts once",
        "data/link.csv is data/a.csv: it counts once",
        "data/b.csv is named twice: it counts once",
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["empty"], "'empty' is a folder without price files (.csv, .txt"),
        (["data/*.json"], "no file is like 'data/*.json'"),
        (["data/a.csv", "-"], "standard input (-) holds one file; name it alone"),
    ],
)
def test_what_names_nothing_is_refused(words, said):
    with pytest.raises(SettingsError) as caught:
        several(words)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("data/EURUSD.csv", "EURUSD"), ("EURUSD.csv.gz", "EURUSD"), ("a.b.csv", "a.b"),
        ("bars.2024", "bars.2024"), (".csv", "csv"), ("x/..csv", "csv"), ('a"b|c.csv', "a_b_c"),
        ("dot. .csv", "dot"), ("ü.parquet", "ü"),
    ],
)  # fmt: skip
def test_stems(path, stem):
    assert stem_of(path) == stem


_NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/*?["), min_size=1)


@given(st.lists(_NAMES, min_size=2, max_size=6))
def test_every_file_has_a_folder_of_its_own(paths):
    paths = [f"no_such_folder/{number}/{path}" for number, path in enumerate(paths)]
    found = several(paths)
    assert found is not None
    names = [source.name for source in found.files]
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert Path(name).name == name
        assert name not in (".", "..")


@pytest.mark.usefixtures("here")
def test_options_between_files():
    found = parse_options(["data/a.csv", "--top", "3", "data/b.csv", "--no-store", "other"])
    assert found.several is not None
    assert found.several.files == (
        Source("data/a.csv", "a"), Source("data/b.csv", "b"), Source("other/a.csv", "a_2"),
    )  # fmt: skip
    assert found.typed == ("--top", "3", "--no-store")
    assert found.top == 3


def test_what_is_typed_about_this_one_run_is_not_kept():
    words = ["f.csv", "--fresh", "--k_atr", "-1", "--retry-failed"]
    with pytest.raises(SettingsError):  # They exclude each other.
        parse_options(words)
    words = ["f.csv", "--common", "worst", "g.csv", "--k_atr=2", "-v", "--fres", "--outp=x"]
    found = parse_options([*words, "--min-tr", "3", "--", "-h.csv"])
    assert found.typed == ("--k_atr=2", "--min-tr", "3")
    assert [source.path for source in found.several.files] == ["f.csv", "g.csv", "-h.csv"]


@pytest.mark.usefixtures("here")
def test_files_in_a_file_of_settings(here):
    Path("in").mkdir()
    Path("in/run.toml").write_text('data = ["../data", "../other/a.csv"]\ncommon = "worst"\n')
    found = parse_options(["--config", "in/run.toml"])
    assert found.common == "worst"
    assert [source.name for source in found.several.files] == ["D", "a", "b", "c", "a_2"]
    saving = parse_options(["data", "other/a.csv", "--save-config", "all.toml"]).saving
    assert 'data = ["data", "other/a.csv"]\n' in saving.text
    Path("none.toml").write_text('data = "empty"\n')
    with pytest.raises(SettingsError, match=r"none.toml: line 1: 'empty' is a folder without"):
        parse_options(["--config", "none.toml"])
