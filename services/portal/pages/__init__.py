"""What a portal's pages show: read models of contacts, contracts, instalments and billing events, and their API."""
