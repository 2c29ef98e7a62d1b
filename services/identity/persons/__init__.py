"""Persons whose key is destroyed."""
