"""Reading a task folder: its files and their roles, the user's settings, the columns, the labels, the spec."""
