"""Many price files: each optimized by itself, one table across them, one setting for all."""
