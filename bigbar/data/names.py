"""Which column is which: the names that price files and DataFrames use, in one place.

Names are compared in lower case and without accents, blanks, brackets and other marks, so that
`<OPEN>`, `Gmt time`, `1. open` and `Clôture` are known as they stand. Of other languages only words
are known that mean one column in all of them.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bigbar.errors import DataError

PRICES = ("Open", "High", "Low", "Close")

#: What may stand before the name of a price. All four are taken from the first that has them all.
_SIDES = ("", "mid", "bid", "ask")
#: From the best name to the one that means this only where no better one is there.
_PRICE_NAMES = {
    "Open": (
        *("open", "openprice", "priceopen", "o"),
        *("eroffnung", "eroeffnung", "eroffnungskurs", "eroeffnungskurs", "eroffn", "eroeffn"),
        *("erster", "ouverture", "coursdouverture", "ouv", "apertura", "abertura"),
        *("opening", "openingskoers", "otwarcie", "открытие", "откр"),
    ),
    "High": (
        *("high", "highprice", "pricehigh", "h"),
        *("hoch", "hochst", "hoechst", "hochstkurs", "hoechstkurs", "tageshoch"),
        *("haut", "plushaut"),
        *("maximo", "maxima", "massimo", "alto", "hoog", "hoogste", "najwyzszy"),
        *("максимум", "макс"),
    ),
    "Low": (
        *("low", "lowprice", "pricelow", "l"),
        *("tief", "tiefst", "tiefstkurs", "tagestief", "bas", "plusbas", "minimo", "minima"),
        *("bajo", "basso", "baixo", "laag", "laagste", "najnizszy", "минимум", "мин"),
    ),
    "Close": (
        *("close", "closeprice", "priceclose", "closelast", "c", "last", "latest", "price"),
        *("schluss", "schlusskurs", "cloture", "coursdecloture", "clot", "fermeture", "cierre"),
        *("chiusura", "fechamento", "fecho", "slotkoers", "slot", "zamkniecie"),
        *("закрытие", "закр", "zuletzt", "letzter", "dernier", "ultimo", "laatste", "laatst"),
        "цена",
    ),
}
_VOLUME_NAMES = (
    *("volume", "v", "tickvolume", "tickvol", "vol", "volumefrom", "basevolume"),
    *("stuck", "stucke", "stueck", "stuecke"),  # before the volume, that is money beside them
    *("volumen", "volumes", "volumi", "wolumen", "объем"),
)
_VOLUME_IN = re.compile(r"[Vv]olume ?[A-Z]{3,5}")  # Volume BTC

_STAMP_NAMES = frozenset(
    (
        *("datetime", "dateandtime", "timestamp", "timestamputc", "ts", "t", "tsevent"),
        *("unix", "unixtime", "unixtimestamp", "epoch", "epochtime", "windowstart", "starttime"),
        *("opentime", "bartime", "gmttime", "timegmt", "timeutc", "utctime", "dateutc", "utcdate"),
        *("localtime", "datetimeutc", "utcdatetime", "timeperiodstart"),
        *("zeitstempel", "datumzeit", "datumuhrzeit", "datumundzeit", "datumunduhrzeit"),
        *("horodatage", "dateheure", "dateetheure", "fechahora", "fechayhora", "dataora"),
        *("dataeora", "datahora", "dataehora", "tijdstip", "датавремя", "датаивремя"),
    )
)
_DATE_NAMES = frozenset(
    (
        *("date", "dtyyyymmdd", "day", "tradedate", "tradingdate", "tradingday"),
        *("datum", "handelstag", "jour", "fecha", "giorno", "дата"),
    )
)
_ENGLISH_CLOCKS = frozenset(("time", "hour", "clock", "timeofday"))
_CLOCK_NAMES = _ENGLISH_CLOCKS | frozenset(
    ("zeit", "uhrzeit", "heure", "hora", "ora", "tijd", "godzina", "czas", "время")
)
#: The date in some languages. In English it may be anything, and there is another name of the time.
_DATA = "data"

_MINUTE_NAMES = frozenset(("minute", "minutes"))
_SECOND_NAMES = frozenset(("second", "seconds", "sec", "secs"))
_ZONE_NAMES = frozenset(
    (
        *("offset", "utcoffset", "gmtoffset", "tzoffset", "timezoneoffset", "offsetutc"),
        *("tz", "zone", "timezone", "timezonename", "tzname"),
    )
)
_UTC = re.compile(r"(?<![a-z])(utc|gmt)(?![a-z])|^(utc|gmt)|(utc|gmt)$", re.IGNORECASE)
_ORDINAL = re.compile(r"\s*\d+[a-z]?\.\s*")
_BRACKETED = re.compile(r"(.*\S)\s*[(\[](.+)[)\]]\s*")

#: Fields that a user may name a column for.
FIELDS = ("time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Found:
    """Positions of the columns whose names are known.

    Attributes
    ----------
    prices : dict of str to int
        Of those of Open, High, Low and Close that are there.
    volume : int or None
    times : tuple of int
        All columns whose name speaks of time, in the order of the file; which of them are to be
        read depends on what they hold.
    clocks : frozenset of int
        Those whose name means a time of day rather than a point in time.
    time_given : bool
        Whether `times` is what the user named, to be read as it is.
    finer : tuple of int or None
        Columns of minutes and of seconds.
    zone : int or None
        A column of offsets or time zones.
    """

    prices: dict[str, int]
    volume: int | None
    times: tuple[int, ...]
    clocks: frozenset[int]
    time_given: bool = False
    finer: tuple[int | None, int | None] = (None, None)
    zone: int | None = None

    @property
    def known(self) -> int:
        """How many columns are known."""
        return len(self.prices) + len(self.times) + (self.volume is not None)

    @property
    def missing(self) -> list[str]:
        """What has to be there and is not, for a message."""
        wanted = [name for name in PRICES if name not in self.prices]
        return wanted if self.times else ["time", *wanted]


def plain(name: str) -> str:
    """A column name without case, number in front, accents, spaces, brackets and other marks."""
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]", "", _ORDINAL.sub("", name.lower(), count=1))


def find_columns(names: Sequence[str], given: Mapping[str, str] | None = None) -> Found:
    """Find the columns by their names; the first of several volumes.

    Parameters
    ----------
    names : sequence of str
        As the file or the frame spells them.
    given : mapping of str to str, optional
        From a field (`FIELDS`) to the column that the user named for it: a name, a number from 1,
        or for the time two of them joined by `+`.

    Raises
    ------
    DataError
        Two columns mean the same price, or a column that the user named is not there. The message
        begins in the middle of a sentence, for the caller to say of what.
    """
    own = {field: _given(names, field, text) for field, text in (given or {}).items()}
    plains = [_plain_known(name) for name in names]
    taken = {position for positions in own.values() for position in positions}
    for position in taken:
        plains[position] = ""
    prices = _prices(names, plains)
    prices |= {name: own[name.lower()][0] for name in PRICES if name.lower() in own}
    if "time" in own:
        times = own["time"]
    else:
        known = _STAMP_NAMES | _DATE_NAMES | _CLOCK_NAMES
        if not any(text in _STAMP_NAMES | _DATE_NAMES | _ENGLISH_CLOCKS for text in plains):
            known |= {_DATA}
        times = tuple(i for i, text in enumerate(plains) if text in known)
    volume = own["volume"][0] if "volume" in own else _volume(names, plains)
    clocks = frozenset(i for i in times if plains[i] in _CLOCK_NAMES)
    finer: tuple[int | None, int | None] = (None, None)
    if "time" not in own:
        finer = (_first(plains, _MINUTE_NAMES), _first(plains, _SECOND_NAMES))
    zone = _first(plains, _ZONE_NAMES)
    return Found(prices, volume, times, clocks, "time" in own, finer, zone)


def _first(plains: Sequence[str], known: frozenset[str]) -> int | None:
    return next((i for i, text in enumerate(plains) if text in known), None)


def zone_in(name: str) -> str | None:
    """The time zone that stands in the name of a time column, as in `Time (EET)`."""
    match = _BRACKETED.fullmatch(name.strip())
    if (
        not match
        or plain(name) in _STAMP_NAMES
        or plain(match[1]) not in (_STAMP_NAMES | _DATE_NAMES | _CLOCK_NAMES)
    ):
        return None
    zone = match[2].strip()
    return None if zone.upper() in ("UTC", "GMT", "Z", "S", "MS", "US", "NS") else zone


def says_utc(name: str) -> bool:
    """Whether the name of a time column says that its times are in UTC."""
    return _UTC.search(name) is not None


def _plain_known(name: str) -> str:
    """The plain name; without what stands in brackets at its end if only then it is known."""
    whole = plain(name)
    match = _BRACKETED.fullmatch(name.strip())
    return plain(match[1]) if match and whole not in _ALL_NAMES else whole


_ALL_NAMES = (
    _STAMP_NAMES
    | _DATE_NAMES
    | _CLOCK_NAMES
    | {*_VOLUME_NAMES, _DATA}
    | {side + name for names in _PRICE_NAMES.values() for name in names for side in _SIDES}
)


def _prices(names: Sequence[str], plains: Sequence[str]) -> dict[str, int]:
    """The prices of the first side that has all four, or of the one that has the most."""
    sides = [_prices_of(names, plains, side) for side in _SIDES]
    return max(sides, key=len)


def _prices_of(names: Sequence[str], plains: Sequence[str], side: str) -> dict[str, int]:
    found = {}
    for field, known in _PRICE_NAMES.items():
        for name in known:
            positions = [i for i, text in enumerate(plains) if text == side + name]
            if len(positions) > 1:
                first, second = positions[:2]
                raise DataError(
                    f'columns "{names[first]}" and "{names[second]}" (columns {first + 1} and '
                    f"{second + 1}) mean the same. Remove one, or name the right one: --columns "
                    f"{field.lower()}={first + 1}. Prices of several instruments belong in files "
                    "of their own."
                )
            if positions:
                found[field] = positions[0]
                break
    return found


def _volume(names: Sequence[str], plains: Sequence[str]) -> int | None:
    for known in _VOLUME_NAMES:  # MetaTrader always fills TICKVOL; VOL is often all zeros
        if known in plains:
            return plains.index(known)
    for position, name in enumerate(names):
        if plains[position] and _VOLUME_IN.fullmatch(name.strip()):
            return position
    return None


def _given(names: Sequence[str], field: str, text: str) -> tuple[int, ...]:
    """Positions of the columns that the user named for a field."""
    position = _named(names, text)
    if position is not None:
        return (position,)
    if field == "time" and "+" in text:
        parts = [_named(names, part) for part in text.split("+")]
        found = tuple(part for part in parts if part is not None)
        if len(parts) == len(found) == 2:
            return found
    columns = ", ".join(repr(name) for name in names)
    raise DataError(f"no column {text!r} for {field}. Columns found: {columns}.")


def _named(names: Sequence[str], text: str) -> int | None:
    text = text.strip()
    stripped = [name.strip() for name in names]
    if text in stripped:
        return stripped.index(text)
    lower = [name.lower() for name in stripped]
    if text.lower() in lower:
        return lower.index(text.lower())
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(names):
        return int(text) - 1
    return None
