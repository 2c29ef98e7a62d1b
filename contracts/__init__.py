"""The published language: every event that Portico stores and publishes, versioned."""
