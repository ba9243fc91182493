"""The BigBar optimizer."""
