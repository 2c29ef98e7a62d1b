"""What other services have published: schemas of entities and journeys, as far as portals need them."""
