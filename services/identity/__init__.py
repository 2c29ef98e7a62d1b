"""Who may call, and whose data may be read: portal users, staff, machines, tokens, reveals and erasures."""
