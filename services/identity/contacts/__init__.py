"""What identity knows of contacts and their contracts, to find out which of them a portal user is."""
