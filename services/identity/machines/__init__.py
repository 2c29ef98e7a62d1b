"""Machines (an ERP, a gateway, an operator's script) and their tokens."""
