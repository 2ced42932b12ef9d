"""`mlestar weights`: the store of pretrained weights that scripts may declare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlestar.errors import UserError

if TYPE_CHECKING:
    from mlestar.runners.supply.weights import Entry, WeightStore
    from mlestar.settings import Settings

weights = typer.Typer(help="The store of pretrained weights that scripts may declare.", no_args_is_help=True)

Addresses = Annotated[list[str], typer.Argument(help="hf:OWNER/NAME@REVISION or https://...#sha256=HASH.")]
Folder = Annotated[Path | None, typer.Option("--weights-dir", help="Folder that keeps weights for all runs.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any setting as key=value, e.g. weight_mb=5000.")]


@weights.command()
def add(addresses: Addresses, weights_dir: Folder = None, set_: Set = None) -> None:
    """Fetch weights into the store, and print their pinned addresses.

    A repository without a commit is fetched as it is now, also when the store has an earlier commit.
    """
    from mlestar.errors import first_line
    from mlestar.runners.supply.weights import WeightsError, WeightSupplier, read_address

    settings, store = _open(weights_dir, set_)
    supplier = WeightSupplier(
        store, max_mb=settings.weight_mb, on_progress=lambda line: typer.echo(first_line(line), err=True)
    )
    for text in addresses:
        try:
            typer.echo(_describe(supplier.fetch_blocking(read_address(text), again=True)))
        except WeightsError as error:
            raise UserError(str(error)) from error


@weights.command("list")
def list_weights(weights_dir: Folder = None) -> None:
    """Print what is in the store: address, size, licence and date."""
    _, store = _open(weights_dir, None)
    for entry in store.index().entries.values():
        typer.echo(_describe(entry))
        for pin in store.pins_of(entry):
            typer.echo(f"  as {pin}")


@weights.command()
def remove(addresses: Addresses, weights_dir: Folder = None) -> None:
    """Remove weights from the store."""
    from mlestar.runners.supply.weights import WeightsError, read_address

    _, store = _open(weights_dir, None)
    for text in addresses:
        try:
            freed = store.remove(read_address(text))
        except WeightsError as error:
            raise UserError(str(error)) from error
        typer.echo(f"removed {text}: {freed / 1e6:,.1f} MB were freed")


def _open(weights_dir: Path | None, items: list[str] | None) -> "tuple[Settings, WeightStore]":
    from mlestar.cli.values import resolve_settings
    from mlestar.runners.supply.weights import WeightStore

    settings = resolve_settings({"weights_dir": weights_dir}, items)
    return settings, WeightStore(settings.weights_dir)


def _describe(entry: "Entry") -> str:
    licence, count = entry.licence or "licence unknown", len(entry.files)
    plural = "" if count == 1 else "s"
    return f"{entry.shown_address} {entry.size / 1e6:,.1f} MB in {count} file{plural}, {licence}, {entry.fetched}"
