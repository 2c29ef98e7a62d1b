"""Records of what a utility deals with: contacts, contracts and whatever its schemas describe."""
