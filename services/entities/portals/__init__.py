"""What portals let their users see and change of records."""
