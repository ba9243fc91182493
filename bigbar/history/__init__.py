"""`python -m bigbar`: what is kept of earlier runs, listed, shown, compared, checked.

One command a file; `command` reads the command line, `tables` draws.
"""
