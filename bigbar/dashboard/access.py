"""Who may look at the dashboard: a token, and the addresses that it answers to."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bigbar.errors import InputError

#: Names of this machine that lead nowhere else.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

#: Every address that this machine has.
EVERYWHERE = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True)
class Access:
    """What a request must have to be answered.

    Attributes
    ----------
    port : int
        That is listened on.
    names : frozenset of str
        Names and addresses of this machine that a request may be meant for.
    any_address : bool
        Whether it may be meant for any address that is a number: where other machines may look.
        A page of somebody else's cannot have its own name mean such an address.
    token : str
        Asked of everybody.
    allow_changes : bool
        Whether runs may be stopped, resumed and deleted.
    """

    port: int
    names: frozenset[str] = LOOPBACK
    any_address: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    allow_changes: bool = False

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers do not tell the ports of a machine apart."""
        return f"bigbar-{self.port}"

    def is_token(self, text: str | None) -> bool:
        """Whether it is the token, in a time that does not tell how much of it is right."""
        return hmac.compare_digest((text or "").encode("utf-8", "replace"), self.token.encode())

    def is_host(self, text: str) -> bool:
        """Whether a request with this `Host` is meant for this server."""
        try:
            parts = urlsplit(f"//{text}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if port != self.port or parts.netloc != text or "@" in text or not text.isprintable():
            return False
        return name in self.names or (self.any_address and _is_address(name))

    def is_origin(self, text: str | None, host: str) -> bool:
        """Whether a request comes from a page of this server, which was asked as `host`."""
        return text == f"http://{host}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def access_for(host: str, port: int, *, allow_changes: bool = False) -> Access:
    """The access to a server that listens on a host.

    Parameters
    ----------
    host : str
        A name or an address; more than loopback lets other machines look.
    port : int
    allow_changes : bool, optional
    """
    if host in LOOPBACK:
        return Access(port, allow_changes=allow_changes)
    own = {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Access(
        port,
        names=LOOPBACK | own | {host.lower()},
        any_address=host in EVERYWHERE,
        allow_changes=allow_changes,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, before anybody answers them.

    Raises
    ------
    InputError
        If the host is none of this machine's, or the port is taken or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=128)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        if isinstance(problem, socket.gaierror | UnicodeError):
            raise InputError(
                f"the dashboard cannot listen on {host}: {why}; name one of this machine with "
                "--host, or leave it out for this machine only"
            ) from problem
        raise InputError(
            f"the dashboard cannot listen on port {port} of {host}: {why}; name another with "
            "--port, or leave it out for a free one"
        ) from problem


def address_of(host: str, access: Access) -> str:
    """What to open in a browser, the token included."""
    name = socket.gethostname() if host in EVERYWHERE else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{access.port}/?token={access.token}"
