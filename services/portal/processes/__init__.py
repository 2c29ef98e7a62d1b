"""Running processes and the tasks in them, as customers and installers follow them."""
