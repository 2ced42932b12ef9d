"""How a task folder is understood: its layout, what a person set, the parts, the columns, the labels, the spec."""
