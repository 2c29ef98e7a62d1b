"""Billing: instalment plans and billing events, mirrored from the ERP and changed by customers inside limits."""
