"""Pages of the utility's staff."""
