"""`bigbar dashboard`: the runs of an output folder in a browser, live.

A process of its own that only reads the store. A page is a file with a list `ROUTES`, a template in
`pages/` and what belongs to it in `assets/`; `app` collects them.

- `access`: who may look: the token, the addresses it answers to
- `handler`: what every page has: the checks, the headers, answers and errors
- `reading`: the store, as pages read it
- `live`, `history`, `explore`: the pages
"""
