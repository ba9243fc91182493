"""HTML in which text is escaped unless it was made here: no name of a file can become markup."""

from __future__ import annotations

import base64
import html
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Per cent of a colour in a cell whose figures can still be read well.
_STRONGEST_TINT = 45

_EMPTY = frozenset({"br", "input", "link", "meta", "wbr"})


class Markup(str):
    """Text that is HTML already. Only this module makes it from plain text."""

    __slots__ = ()


#: What an element may hold: text (escaped), markup, numbers, nothing, or several of these.
Content = Markup | str | int | None | Iterable["Content"]


def escaped(content: Content) -> Markup:
    """Content as markup; whatever is not markup yet is text."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, (str, int)):
        # Surrogates stand for the bytes of a file name that are no text; no page can hold them.
        text = str(content)
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode("utf-8")
        return Markup(html.escape(text))
    return Markup("".join(map(escaped, content)))


def tag(name: str, /, *children: Content, **attributes: str | int | bool | None) -> Markup:
    """An element.

    Parameters
    ----------
    name : str
    *children : Content
    **attributes : str, int, bool or None
        A trailing underscore is dropped (`class_`), other underscores are hyphens (`aria_label`).
        None and False leave an attribute out, True gives it without a value.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        parts.append(key if value is True else f'{key}="{escaped(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    return Markup(opening if name in _EMPTY else f"{opening}{escaped(children)}</{name}>")


def raw(name: str, text: str, /, **attributes: str) -> Markup:
    """A `style` or `script` element, whose text browsers do not unescape.

    Parameters
    ----------
    name : str
    text : str
        Of this program's own making; it must not hold the element's end tag.
    """
    return Markup(f"{tag(name, **attributes).removesuffix(f'</{name}>')}{text}</{name}>")


def packed_data(value: object, **attributes: str) -> Markup:
    """A `script` element that holds data in a fifth of the room of JSON: deflated, as base64."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(zlib.compress(text.encode(), 6)).decode()
    return raw("script", packed, type="application/octet-stream", **attributes)


def paragraph(*content: Content, class_: str | None = None) -> Markup:
    """A paragraph."""
    return tag("p", *content, class_=class_)


def definitions(pairs: Iterable[tuple[Content, Content]], class_: str = "facts") -> Markup:
    """A list of names with their values."""
    rows = (tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl", *rows, class_=class_)


def details(summary: Content, *content: Content, class_: str | None = None) -> Markup:
    """Something to be opened, with or without JavaScript."""
    return tag("details", tag("summary", summary), *content, class_=class_)


@dataclass(frozen=True)
class Cell:
    """A table's cell that is more than its text.

    Attributes
    ----------
    shown : Content
    value : float or None
        What a table is sorted by; None to sort by the text.
    class_, style : str or None
        Attributes of the element.
    setting : int or None
        Which setting's statistics the cell opens, where there is JavaScript.
    """

    shown: Content
    value: float | None = None
    class_: str | None = None
    style: str | None = None
    setting: int | None = None


def table(
    heads: Sequence[Content],
    rows: Iterable[Sequence[Content | Cell]],
    *,
    caption: str,
    sortable: bool = False,
    row_heads: bool = False,
    class_: str | None = None,
) -> Markup:
    """A table that scrolls inside a box of its own, which can be reached by keyboard.

    Parameters
    ----------
    heads : sequence of Content
        Names of the columns.
    rows : iterable of sequence of Content or Cell
    caption : str
        What the table is, for those who do not see it.
    sortable : bool
        Whether a click on the name of a column sorts by it; the cells of a column then need a
        value to be sorted by, or none of them has one.
    row_heads : bool
        Whether the first cell of a row names it.
    """
    names = (_column_head(head, sortable=sortable) for head in heads)
    body = (
        tag("tr", [_cell(cell, head=row_heads and place == 0) for place, cell in enumerate(row)])
        for row in rows
    )
    element = tag(
        "table",
        tag("caption", caption, class_="unseen-text"),
        tag("thead", tag("tr", names)),
        tag("tbody", body),
        class_=class_,
        data_sortable=sortable,
    )
    return tag("div", element, class_="scroll", tabindex=0, role="group", aria_label=caption)


#: A name of a column up to this long is kept on one line.
_SHORT_NAME = 8


def _column_head(head: Content, *, sortable: bool) -> Markup:
    """The name of a column; a long one may be broken after an underscore."""
    if isinstance(head, str) and not isinstance(head, Markup) and len(head) > _SHORT_NAME:
        parts = head.split("_")
        head = [[part, "_", tag("wbr")] for part in parts[:-1]] + [parts[-1]]
    if not sortable:
        return tag("th", head, scope="col")
    return tag("th", tag("button", head, type="button"), scope="col", aria_sort="none")


def tint(shown: Content, value: float, largest: float) -> Cell:
    """A cell coloured by gain or loss, up to the largest of the table; its sign says it as well."""
    if math.isnan(value) or value == 0:
        return Cell(shown)
    strength = _STRONGEST_TINT * min(abs(value) / largest, 1.0)
    way = "gain" if value > 0 else "loss"
    return Cell(shown, class_=way, style=f"--tint:{strength:.0f}%")


def _cell(cell: Content | Cell, *, head: bool) -> Markup:
    if not isinstance(cell, Cell):
        cell = Cell(cell)
    if head:
        return tag("th", cell.shown, scope="row")
    value = None if cell.value is None else repr(float(cell.value))
    return tag(
        "td", cell.shown, data_value=value, data_setting=cell.setting, class_=cell.class_,
        style=cell.style,
    )  # fmt: skip
