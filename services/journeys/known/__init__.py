"""What journeys knows of portals, records and tasks, from the topics of their owners: enough to ask the rules again."""
