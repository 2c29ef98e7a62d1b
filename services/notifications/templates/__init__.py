"""The texts and looks of the mails, and how they become subject, HTML and text."""
