"""Records: put by external id, checked against their schema, related to each other, deleted."""
