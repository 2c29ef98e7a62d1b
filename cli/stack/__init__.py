"""The embedded stack: PostgreSQL, Kafka, a mailbox and the services as supervised processes, from wheels alone."""
