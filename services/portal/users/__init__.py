"""Portal users, as far as pages speak of them."""
