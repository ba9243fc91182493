"""From a file of price bars, or a DataFrame, to validated bars."""
