"""What notifications knows of contacts, contracts and portals, from the topics of their owners."""
