"""Agents: one module per role, with its prompt's values and the parser of its replies. They do not know the graphs."""
