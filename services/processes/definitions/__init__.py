"""One stream per process: its definition, version after version."""
