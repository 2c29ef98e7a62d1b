"""One true story through all of Portico; the demo tells it and a test plays it."""
