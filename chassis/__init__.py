"""What every service stands on: event log, relay, consumers, views, HTTP and telemetry. Knows no service."""
