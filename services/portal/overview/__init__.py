"""What staff should look at."""
