"""What portals are and what their users see: configuration, read models built from all topics, the read-model API."""
