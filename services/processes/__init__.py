"""Processes: what a utility defines, what runs attached to a record, and whose turn it is."""
