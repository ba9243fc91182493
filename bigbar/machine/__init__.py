"""The machine: what it has, what a run takes of it, what else is going on."""
