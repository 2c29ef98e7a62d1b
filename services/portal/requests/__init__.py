"""What contacts have submitted, what became of each part of it, and the files that they sent along."""
