"""Messages: which events make them, the queue they wait in, their delivery, and the log of what became of them."""
