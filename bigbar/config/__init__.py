"""Settings in a file: read with `--config`, written with `--save-config`."""
