"""What is said and written of a run: terminal, files, plots, page."""
