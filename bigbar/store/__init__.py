"""Runs that are never lost: what was computed, kept in one SQLite file as it comes in.

- `schema`: the file and its tables, opened with every check
- `fingerprint`: what decides the numbers of a run, as a value
- `owner`: which process a run belongs to, and whether it lives
- `records`: what is known of a run
- `rows`: the rows of statistics, packed
- `runs`: `RunStore`, the runs of a folder
"""
