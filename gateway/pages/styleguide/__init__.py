"""Every component in all its states, for those who work on pages; only in development."""
