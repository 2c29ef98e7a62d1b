"""Launch tickets: the portal's signed word that this user may begin this journey here."""
