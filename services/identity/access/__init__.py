"""Getting in: passwords, sessions, one-time links, and delays for whoever guesses."""
