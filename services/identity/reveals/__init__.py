"""Who was shown which persons' sealed values, and why."""
