"""Portal users: registered, activated, assigned to a contact, blocked."""
