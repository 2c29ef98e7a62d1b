"""Cancellations: previewed and asked for by a contract's terms, confirmed by staff, in force when their day is over."""
