"""Billing events of a contract, mirrored from the ERP."""
