"""Who may call, and whose data may be read: keys, tokens, machines, reveals and erasures."""
