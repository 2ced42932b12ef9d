"""What LangGraph Studio opens: one short module per graph, each without a checkpointer."""
