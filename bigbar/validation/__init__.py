"""Whether a result can be told apart from luck, and which setting to trust."""
