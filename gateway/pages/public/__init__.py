"""Pages for everybody: signing in, registering, links of mails, public journeys."""
