"""How a run goes on, for whoever watches it."""
