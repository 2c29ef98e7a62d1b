"""One stream per notice: what is to be read in the portal by a contact or by staff."""
