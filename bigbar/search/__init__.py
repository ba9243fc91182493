"""Which points of a space are tried where that is not all of them: a method a file."""
