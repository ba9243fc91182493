"""Who runs the slices: processes, threads, this process."""
