"""What a utility configures, as a folder of YAML documents: brought in by `portico apply`, written by `export`."""
