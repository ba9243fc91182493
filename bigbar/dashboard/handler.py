"""What every page of the dashboard has: who may ask, the headers, answers, and errors as text."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import tornado.escape
from tornado.httputil import responses
from tornado.web import HTTPError, RequestHandler

from bigbar.errors import BigBarError, InputError
from bigbar.printable import one_line
from bigbar.store.schema import NoSuchRun
from bigbar.units import json_values

if TYPE_CHECKING:
    from bigbar.dashboard.application import Dashboard

T = TypeVar("T")

#: Of a number in an address: SQLite counts so far.
NUMBER = r"(\d{1,18})"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Handler(RequestHandler):
    """Answers a request that may be answered; every page builds on it.

    Attributes
    ----------
    nonce : str
        Of this answer: a `style` or `script` element without it does nothing.
    """

    application: Dashboard
    nonce: str

    # ------------------------------------------------------------------------------------ access

    def prepare(self) -> None:
        """Refuse who may not ask: before anything else is done."""
        access, request = self.application.access, self.request
        if not access.is_host(request.host):  # Another name for this machine: DNS rebinding.
            raise HTTPError(421, reason="Misdirected Request")
        given = self.get_query_argument("token", None)
        if request.method == "GET" and given is not None and access.is_token(given):
            self._let_in()
            return
        if not access.is_token(self.get_cookie(access.cookie)):
            raise HTTPError(403)
        self.application.asked_at = time.monotonic()
        origin = request.headers.get("Origin")
        if origin is not None and not access.is_origin(origin, request.host):
            raise HTTPError(403)
        if request.method == "POST":  # No form and no page of somebody else's sends these.
            if origin is None or request.headers.get("X-BigBar") != "1":
                raise HTTPError(403)
            if not access.allow_changes:
                raise InputError(
                    "this dashboard only shows; to stop, resume and delete runs, start it with "
                    "--allow-changes"
                )

    def _let_in(self) -> None:
        """Keep the token in a cookie, and take it out of the address."""
        access = self.application.access
        self.set_cookie(access.cookie, access.token, httponly=True, samesite="Strict")
        others = [
            (name, text)
            for name in self.request.query_arguments
            if name != "token"
            for text in self.get_query_arguments(name)
        ]
        # One slash: two would lead to another machine.
        path = "/" + quote(self.request.path.lstrip("/\\"), safe="/%")
        self.redirect(f"{path}?{urlencode(others)}" if others else path)

    def set_default_headers(self) -> None:
        """Nothing from outside, and no script or style but those of this very answer."""
        self.nonce = secrets.token_urlsafe(12)
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'nonce-{self.nonce}'; style-src 'nonce-{self.nonce}'; "
            "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'",
        )

    # ----------------------------------------------------------------------------------- answers

    async def aside(self, work: Callable[..., T], *given: Any) -> T:
        """What `work` gives, in a thread: reading the store, and all that takes its time."""
        return await asyncio.get_running_loop().run_in_executor(
            self.application.threads, work, *given
        )

    def page(self, template: str, /, **values: Any) -> None:
        """Answer with a page from `pages/`; all text in it is escaped."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(self.render_string(template, **values))

    def json(self, values: Any) -> None:
        """Answer with JSON: dicts, lists, texts and numbers; NaN becomes null."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json_text(values))

    def get_template_namespace(self) -> dict[str, Any]:
        """What every template knows besides its own values."""
        return super().get_template_namespace() | {
            "nonce": self.nonce,
            "allow_changes": self.application.access.allow_changes,
            "folder": text_of(self.application.runs.folder),
            "asset": self.application.asset_address,
            "embedded": embedded,
            "text": text_of,
        }

    def number(self, name: str, default: int, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number that the address was given.

        Raises
        ------
        InputError
            If it is none, or out of bounds.
        """
        given = self.get_query_argument(name, None)
        if given is None:
            return default
        if given.isascii() and given.isdigit() and len(given) < 19 and least <= int(given) <= most:
            return int(given)
        raise InputError(f"{name} is {given!r:.40}, no whole number from {least:,} to {most:,}")

    # ------------------------------------------------------------------------------------ errors

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Only what is a fault of this program; a browser is told the rest."""
        if not isinstance(value, HTTPError | BigBarError | MemoryError):
            super().log_exception(kind, value, trace)

    def write_error(self, status_code: int, **known: Any) -> None:
        """Say what is wrong, as text, or as JSON where that was asked for."""
        problem = known.get("exc_info", (None, None, None))[1]
        said = responses.get(status_code, "Unknown")
        if status_code == 403:
            said = (
                "This needs the address that the dashboard printed, with its token. Open that one; "
                "it is printed again by each start."
            )
        if isinstance(problem, BigBarError | MemoryError):
            status_code = status_of(problem)
            said = one_line(str(problem)) or "there is not enough memory for this"
        self.set_status(status_code)
        if self.request.path.startswith("/api/"):
            self.json({"error": said})
        else:
            self.page("error.html", said=text_of(said), status=status_code)


def status_of(problem: BaseException) -> int:
    """Which code tells of an error."""
    if isinstance(problem, NoSuchRun):
        return 404
    if isinstance(problem, InputError):
        return 409
    return 503


class NotFound(Handler):
    """For addresses that are none."""

    def prepare(self) -> None:
        """Whoever may not ask is not told what there is."""
        super().prepare()
        if not self._finished:
            raise HTTPError(404)


def text_of(value: object) -> str:
    """Text that any page can hold: in names of files, bytes that are none come escaped."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def json_text(values: Any) -> str:
    """As JSON, in which no character can end an element of a page."""
    text = json.dumps(json_values(values), separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def embedded(values: Any) -> str:
    """JSON for a template, inside `<script type="application/json">`; put it there with `raw`."""
    return tornado.escape.native_str(json_text(values))
