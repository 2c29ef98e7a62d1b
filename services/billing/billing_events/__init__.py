"""Billing events, mirrored from the ERP: each is a stream of its own, so that none grows with the years."""
