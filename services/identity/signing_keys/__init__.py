"""The keys that sign tokens: published before they sign, kept while tokens of theirs live."""
