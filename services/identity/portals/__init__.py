"""How portals let people in, as they are configured."""
