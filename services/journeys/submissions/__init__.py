"""Submissions: begun as drafts in a table, and one event when they are sent."""
