"""Imports: many rows at once, with a report of what became of each."""
