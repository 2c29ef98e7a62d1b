"""One stream per portal: its whole configuration."""
