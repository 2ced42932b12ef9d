"""The offline engineer: answers every agent role from recipes."""

from mlestar.offline.engineer import OfflineEngineer

__all__ = ["OfflineEngineer"]
