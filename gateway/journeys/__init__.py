"""Journeys as pages: the same steps wherever they are shown."""
