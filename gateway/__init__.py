"""The reference portal gateway: server-rendered pages that call nothing but the public APIs."""
