"""What a user says about a price file where the program must not, or cannot, find it out."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bigbar import given
from bigbar.data.days import ORDERS
from bigbar.data.names import FIELDS
from bigbar.data.time_zones import zone_hint, zone_of
from bigbar.errors import SettingsError

#: Units of epochs as `--time-format`, with their nanoseconds.
EPOCH_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


#: What is text, and must be.
_TEXTS = {
    "time_format": "text such as '%d.%m.%Y %H:%M'",
    "time_zone": "text such as 'America/New_York'",
    "date_order": f"one of {', '.join(ORDERS)}",
}


@dataclass(frozen=True)
class Reading:
    """How a price file is to be read; what is not said is found out.

    Attributes
    ----------
    columns : mapping of str to str
        From time, open, high, low, close or volume to the name of the column, or to its number
        from 1; for the time also two of them, as in `Date+Clock`.
    time_format : str or None
        Directives of `strptime`, such as `%d.%m.%Y %H:%M`; or the unit of epochs: s, ms, us, ns.
    time_zone : str or None
        Of times that say none themselves, such as `America/New_York`.
    date_order : {"dmy", "mdy", "ymd"} or None
        Of 03/04/2024; ymd is for years of two digits.

    Raises
    ------
    SettingsError
        If a value makes no sense.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    time_zone: str | None = None
    date_order: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", columns_said(self.columns))
        for name, wanted in _TEXTS.items():
            if (said := getattr(self, name)) is not None:
                given.text(f"--{name.replace('_', '-')}", said, wanted)
        if self.time_format is not None:
            _check_format(self.time_format)
        if self.time_zone is not None and self._zone() is None:
            raise SettingsError(
                f"--time-zone {self.time_zone!r} is no time zone; {zone_hint(str(self.time_zone))}"
            )
        if self.date_order is not None and self.date_order not in tuple(ORDERS):
            raise SettingsError(
                f"--date-order is {self.date_order!r}, but must be one of {', '.join(ORDERS)}"
            )

    def _zone(self) -> zoneinfo.ZoneInfo | None:
        return zone_of(self.time_zone) if isinstance(self.time_zone, str) else None

    @property
    def zone(self) -> zoneinfo.ZoneInfo | None:
        """The time zone of times that say none themselves."""
        return self._zone()

    def said(self) -> dict[str, Any]:
        """What was said, as JSON holds it; empty if nothing was."""
        values = {**vars(self), "columns": dict(self.columns)}
        return {name: value for name, value in values.items() if value}


def parse_columns(text: str) -> dict[str, str]:
    """The columns of `time=Date,close=Last` by their field.

    Raises
    ------
    SettingsError
        If the text is of another form.
    """
    columns: dict[str, str] = {}
    last: str | None = None
    for part in text.split(","):
        name, equals, column = part.partition("=")
        if equals and name.strip().lower() in FIELDS:
            last = name.strip().lower()
            if last in columns:
                raise SettingsError(f"--columns {text!r} names {last} twice")
            columns[last] = column.strip()
        elif equals or last is None:
            raise SettingsError(
                f"--columns {text!r}: write FIELD=COLUMN,…, for example time=Date,close=Last; "
                f"the fields are {', '.join(FIELDS)}"
            )
        else:  # a comma inside the name of a column
            columns[last] += f",{part}"
    return columns


def columns_said(columns: Mapping[str, str | int] | str | None) -> dict[str, str]:
    """The columns by their field, from a mapping or from text.

    Raises
    ------
    SettingsError
        If they are neither, or no columns.
    """
    if columns is None:
        return {}
    if isinstance(columns, str):
        columns = parse_columns(columns)
    if not isinstance(columns, Mapping):
        raise given.refusal("columns", columns, "text such as 'time=Date,close=Last', or a dict")
    for name, column in columns.items():
        if name not in FIELDS:
            raise SettingsError(
                f"--columns has no field {name!r}; the fields are {', '.join(FIELDS)}"
            )
        if isinstance(column, bool) or not isinstance(column, str | int) or not str(column):
            raise SettingsError(
                f"--columns {name}={column}: give the name of a column, or its number from 1"
            )
    return {name: str(column) for name, column in columns.items()}


def _check_format(text: str) -> None:
    problem = ""
    try:
        if text not in EPOCH_UNITS and "%" in text:
            pd.to_datetime(["x"], format=text, errors="coerce", utc=True)
        elif text not in EPOCH_UNITS:
            problem = "it has no directives"
    except (ValueError, TypeError) as error:
        problem = str(error)
    if problem:
        raise SettingsError(
            f"--time-format {text!r} cannot be used ({problem}); write it as for strptime, for "
            'example "%d.%m.%Y %H:%M", or s, ms, us or ns for epochs'
        )


#: Nothing is said: everything is found out.
AS_FOUND = Reading()
