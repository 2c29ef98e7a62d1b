"""One stream per notice that was read: by whom."""
