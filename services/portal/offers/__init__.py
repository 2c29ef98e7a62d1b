"""What a portal offers at a place while its rules hold: journeys to begin, links to elsewhere."""
