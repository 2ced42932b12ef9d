"""The graphs of LangGraph Studio: one short module each, without a checkpointer."""
