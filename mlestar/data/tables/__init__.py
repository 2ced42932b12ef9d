"""Tables read as text and written record by record, never through a data frame."""

from mlestar.data.tables.table import SUFFIXES, Table, is_table, read_table, table_suffix

__all__ = ["SUFFIXES", "Table", "is_table", "read_table", "table_suffix"]
