"""Pages of customers and installers who are signed in."""
