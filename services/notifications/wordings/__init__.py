"""One stream per portal and template: its own wording."""
