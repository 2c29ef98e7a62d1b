"""What billing knows of contracts and portals from their events."""
