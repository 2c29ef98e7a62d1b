"""The pages by who sees them; a module is named after the address of its page."""
