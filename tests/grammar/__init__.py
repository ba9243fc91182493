"""The grammar that `generated_strategies` writes strategies by, from words to a module."""
