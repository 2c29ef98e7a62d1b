"""Members of staff: who signs in to work, in which groups and roles."""
