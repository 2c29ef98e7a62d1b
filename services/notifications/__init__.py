"""Mails to customers: which event makes which message, to whom, in which language, and what became of it."""
