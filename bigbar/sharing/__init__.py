"""Data that many processes look at and one holds."""
