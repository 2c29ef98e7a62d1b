"""The way in for an ERP: a topic, the same over HTTP, and what becomes of messages that do not fit."""
