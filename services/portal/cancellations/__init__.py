"""Cancellations of contracts, as their holders see them."""
