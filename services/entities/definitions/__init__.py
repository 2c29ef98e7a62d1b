"""Schemas as documents: published by whoever configures, kept as events, never so that data there is would break."""
