"""What a journey is, apart from who runs it: documents, their mistakes, answers and what they cause. All of it pure."""
