"""A portal's settings, each tab a page of its own: it reads the whole document, changes its part and writes it back."""
