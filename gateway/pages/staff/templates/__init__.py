"""The mails of a portal: which wording each has, and an editor with a preview."""
