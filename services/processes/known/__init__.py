"""What processes knows of records and submissions, from the topics of their owners."""
