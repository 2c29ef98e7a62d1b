"""Instalment plans: set by the ERP, changed by the customer, the change confirmed or refused by the ERP."""
