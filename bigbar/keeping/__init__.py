"""What is kept of a grid whose rows cannot all be: the best, a sample, and sums for heatmaps."""
