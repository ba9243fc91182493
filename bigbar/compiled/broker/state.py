"""Where the broker's state is: two flat arrays, and two tables of trades.

Compiled code is fastest with few arrays and no objects. `f` holds floats, `n` integers: single
values first, then regions of one value an order or trade. An order is a slot, used again after it
has left the queue; a trade is a row of `T` and `Ti`, whose number is never used again in a run.
None is 0.0 throughout, as the broker itself has it: it says `sl or -inf`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_entry, compiled_inner

#: Orders that can wait at the same time, and trades that can be open.
CAP = 512
NTRMAX = 256

#: No order is larger: sums of `NTRMAX` such sizes are whole numbers that float64 has exactly.
MOST_UNITS = 2.0**45

#: What `Strategy.buy` takes where no size is given.
FULL_EQUITY = 1.0 - 2.0**-52

# Rows of the bars `M`; further columns of the data follow.
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)

# `f`: money and costs, the price of the last bar, the position's size and what was paid for it.
CASH, SPREAD, CFIX, CREL, LEV, PRICE, PSIZE, PINV = range(8)
_F = 8
# Of each order: size, limit, stop, and the stop-loss and take-profit that its trade is to have.
OSIZE, OLIM, OSTOP, OSL, OTP = (_F + CAP * k for k in range(5))
NF = _F + CAP * 5

# `n`: waiting orders, open trades, closed trades, trades so far; slots that are free, and that will
# be in the next bar; the error; the bar; the account's rules; rows of the tables; orders so far,
# and segments of equity; 1 once a part of a trade was closed: the broker's sizes are floats then.
NORD, NTR, NCL, NTAB, NFREE, NPEND, ERR, BAR, TOC, HEDGE, EXCL, TCAP, PLACED, NSEG, PARTED = range(
    15
)
_N = 16
# Of each order: whether it waits, its parent trade or -1, its tag, which order of the run it is.
# In order: the slots that are free or will be, those in the queue, and those being processed.
OALIVE, FREE, OPAR, OTAG, OSERIAL, QUEUE, PEND, SNAP = (_N + CAP * k for k in range(8))
# Open trades in order, and those being processed.
ACTIVE = _N + CAP * 8
SNAPT = ACTIVE + NTRMAX
NN = SNAPT + NTRMAX

#: So many values of `f` and `n` make a beginning: what is behind is written before it is read.
F_BEGINS, N_BEGINS = _F, OPAR

# Columns of `T`: size; prices of entry and exit (0.0 while open); commissions, once closed;
# stop-loss and take-profit; 1 where the price of entry or exit is a Python float, not NumPy's: from
# Python 3.12 on `sum` adds them in another way.
TSIZE, TENTRY, TEXIT, TCOMM, TSL, TTP, TEPY, TXPY = range(8)
TCOLUMNS = 8
# Columns of `Ti`: bars of entry and exit (-1 while open); slots of contingent orders, or -1; tag;
# whether it is open. The last is not about the row's own trade: row k has the number of the trade
# that was closed as the k-th.
TEBAR, TXBAR, TSLO, TTPO, TTAG, TALIVE, TCLOSED = range(7)
TICOLUMNS = 7

# Errors. Where Python would raise, and where something is not covered, nothing after it counts:
# the backtest is for `backtesting.py` itself.
E_VALUE = 1  #: ValueError: prices out of order, an order or trade that is no longer there.
E_ASSERT = 2  #: AssertionError: a size, a portion or a price that the broker does not take.
E_CAP = 3  #: More orders or open trades at a time than there is room for, or a larger one.
E_ZERO = 4  #: Division by zero, a trade at price zero, a number that is not finite.
E_INDEX = 5  #: IndexError.
E_ROOM = 6  #: The tables are full; with longer ones it can be run again.


class BrokerState(NamedTuple):
    """The arrays of one backtest, made once and used again for the next.

    Attributes
    ----------
    f : ndarray of float, shape (NF,)
    n : ndarray of int64, shape (NN,)
    T : ndarray of float, shape (room, TCOLUMNS)
    Ti : ndarray of int64, shape (room, TICOLUMNS)
    """

    f: NDArray[np.float64]
    n: NDArray[np.int64]
    T: NDArray[np.float64]
    Ti: NDArray[np.int64]


def new_state(room: int) -> BrokerState:
    """State for backtests of up to this many trades; `reset` makes it ready.

    Pages that are never written to take up no memory.
    """
    return BrokerState(
        np.zeros(NF),
        np.zeros(NN, np.int64),
        np.zeros((room, TCOLUMNS)),
        np.zeros((room, TICOLUMNS), np.int64),
    )


@compiled_entry
def reset(  # type: ignore[no-untyped-def]
    f, n, cash, spread, fixed, relative, leverage, trade_on_close, hedging, exclusive_orders, room
):  # fmt: skip
    """Begin a backtest.

    Parameters
    ----------
    f, n : ndarray
        See `BrokerState`.
    cash, spread, fixed, relative, leverage : float
        As in `bigbar.account.Account`; the commission in its two parts.
    trade_on_close, hedging, exclusive_orders : bool
    room : int
        Rows of the tables of trades.
    """
    n[:_N] = 0
    f[CASH], f[SPREAD], f[CFIX], f[CREL], f[LEV] = cash, spread, fixed, relative, leverage
    f[PRICE] = f[PSIZE] = f[PINV] = 0.0
    n[TOC], n[HEDGE], n[EXCL], n[TCAP] = trade_on_close, hedging, exclusive_orders, room
    for k in range(CAP):
        n[FREE + k] = CAP - 1 - k  # The lowest comes first.
        n[OALIVE + k] = 0
    n[NFREE] = CAP


@compiled_inner
def release(n):  # type: ignore[no-untyped-def]
    """Free the slots of orders that have left the queue: no loop over orders holds one now."""
    for k in range(n[NPEND]):
        n[FREE + n[NFREE]] = n[PEND + k]
        n[NFREE] += 1
    n[NPEND] = 0
