"""What answers points of a space with rows of statistics."""
