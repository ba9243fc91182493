"""`python -m bigbar`: what is kept of earlier runs, listed, shown, compared, checked.

One command a file: `listing`, `show`, `compare`, `export`, `delete`, `verify`, `profile`.
`command` reads the command line, `answer` is what a command gives, `rows` the rows of a run,
`tables` draws.
"""
