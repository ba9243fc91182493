"""`bigbar --completion SHELL`: the scripts by which shells complete the command.

All they know comes from the parsers: `model` reads those, `bash`, `zsh` and `fish` write it down.
"""
