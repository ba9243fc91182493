"""What compiled engines are made of, whatever the strategy."""
