"""One module per role: what it is told and what it must answer. Agents know no graph."""
