"""Portal users: the table, one of them, and many at once by files."""
