"""Files that people send to a submission: looked at, scanned, sealed and kept outside the database."""
