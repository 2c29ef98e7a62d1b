"""The services of Portico; none imports another."""
