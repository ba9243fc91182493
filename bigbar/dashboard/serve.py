"""The server: it answers on a socket that is listened on already, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tornado.httpserver import HTTPServer

from bigbar.dashboard.access import Access
from bigbar.dashboard.app import make_dashboard
from bigbar.dashboard.application import Dashboard

#: A question is never longer; nothing is uploaded.
_MOST_BODY, _MOST_HEAD = 64 * 1024, 32 * 1024

#: How often it is asked whether to go on, in seconds.
_ASK_S = 1.0

#: Pages that are open are given so long to take their last answer, in seconds.
_LAST_S = 0.2


def serve(
    listener: socket.socket,
    folder: Path,
    access: Access,
    *,
    goes_on: Callable[[Dashboard], bool] = lambda _: True,
) -> None:
    """Answer until Ctrl-C, SIGTERM, or until `goes_on` says that nobody needs it any more.

    Parameters
    ----------
    listener : socket
        From `listening`.
    folder : Path
        The output folder.
    access : Access
    goes_on : callable, optional
        Is asked once a second.
    """
    with contextlib.suppress(KeyboardInterrupt):  # Where the loop takes no signals: Windows.
        asyncio.run(_serve(listener, folder, access, goes_on))


async def _serve(
    listener: socket.socket, folder: Path, access: Access, goes_on: Callable[[Dashboard], bool]
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    dashboard = make_dashboard(folder, access)
    server = HTTPServer(dashboard, max_body_size=_MOST_BODY, max_header_size=_MOST_HEAD)
    listener.setblocking(False)
    server.add_socket(listener)
    try:
        while not ended.is_set() and goes_on(dashboard):
            dashboard.resumed.tidy()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _ASK_S)
    finally:
        server.stop()
        dashboard.close()
        await asyncio.sleep(_LAST_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), _ASK_S)
