"""`mlestar settings`: every setting with its value and where that comes from."""

import json

from rich.table import Table
from rich.text import Text

from mlestar.cli.terminal import Console, echo_json
from mlestar.errors import mask_secrets
from mlestar.settings.form import GROUPS
from mlestar.settings.sources import Layers


def show(layers: Layers, *, as_json: bool) -> None:
    """Print the settings by group."""
    settings = layers.settings()
    if as_json:
        values = settings.model_dump(mode="json")
        rows = {name: {"value": value, "from": layers.origin(name)} for name, value in values.items()}
        echo_json(mask_secrets(json.dumps(rows, indent=2, ensure_ascii=False)))
        return
    values = settings.model_dump(mode="json")
    table = Table(box=None, header_style="dim")
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for name in (name for names in GROUPS.values() for name in names):
        origin = layers.origin(name)
        style = "" if origin == "default" or origin.startswith("profile") else "bold"
        table.add_row(Text(name, style="cyan"), Text(_format(values[name]), style=style), Text(origin, style="dim"))
    Console().print(table)


def _format(value: object) -> str:
    if value is None or value in ("", [], {}):
        return ""
    return mask_secrets(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
