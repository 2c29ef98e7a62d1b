"""Journeys as documents: one stream per journey, one event per version."""
