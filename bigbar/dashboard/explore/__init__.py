"""Explore: every combination of a stored run, filtered, sorted, drawn, and computed on demand.

- `columns`, `stored`: a run in memory, column by column
- `asked`, `filters`: questions as pages send them
- `rows`, `scatter`, `parallel`, `heat`, `overview`, `combination`: what is answered
- `consent`, `replaying`: computing a combination again, in a process of its own
- `pages`: the page, and where its questions go
"""

from bigbar.dashboard.explore.pages import ROUTES

__all__ = ["ROUTES"]
