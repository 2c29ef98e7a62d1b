"""One stream per running process: its steps, whose turn it is, and what staff and portal users do about it."""
