"""BigBar: the strategy that comes along, and the engine of its own."""
