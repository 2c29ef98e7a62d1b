"""A plausible utility out of a number: the same seed and day always yield the same customers."""
