"""The offline engineer: every agent role played from recipes."""

from mlestar.offline.engineer import OfflineEngineer

__all__ = ["OfflineEngineer"]
