"""`mlestar sandbox`: the image that generated code runs in, and a shell in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlestar.errors import SettingsError

if TYPE_CHECKING:
    from docker.client import DockerClient

    from mlestar.runners.docker.image import Recipe

sandbox = typer.Typer(help="The image that generated code runs in.", no_args_is_help=True)

VariantName = Annotated[str, typer.Option("--variant", help="base, torch (deep learning) or gpu (with CUDA).")]
Requirements = Annotated[
    Path | None, typer.Option("--requirements", help="File of further packages, in pip's format.", dir_okay=False)
]


@sandbox.command()
def build(variant: VariantName = "base", requirements: Requirements = None) -> None:
    """Build an image, unless it exists, and print its tag and digest.

    A run uses a variant with `--set image=torch`, and an image with further packages by its tag.
    """
    from mlestar.runners.docker.engine import connect

    recipe = _recipe(variant, requirements)
    client = connect()
    try:
        typer.echo(f"{recipe.tag} {_find_or_build(client, recipe)}")
    finally:
        client.close()


@sandbox.command()
def shell(
    variant: VariantName = "base",
    source: Annotated[Path, typer.Option("--input", help="Folder that becomes ./input.", file_okay=False)] = Path(),
) -> None:
    """Open a shell in a container like those of scripts: same isolation and limits, but a day of time."""
    from mlestar.runners.docker.engine import connect
    from mlestar.runners.docker.shell import open_shell

    recipe = _recipe(variant, None)
    client = connect()
    try:
        image = _find_or_build(client, recipe)
    finally:
        client.close()
    raise typer.Exit(open_shell(image, source))


def _recipe(variant: str, requirements: Path | None) -> "Recipe":
    from mlestar.runners.docker.image import VARIANTS, read_recipe

    chosen = next((name for name in VARIANTS if name == variant), None)
    if chosen is None:
        msg = f"no variant {variant!r}: choose one of {', '.join(VARIANTS)}"
        raise SettingsError(msg)
    return read_recipe(chosen, requirements)


def _find_or_build(client: "DockerClient", recipe: "Recipe") -> str:
    from rich.text import Text

    from mlestar.cli.terminal import Console
    from mlestar.runners.docker.engine import engine_errors
    from mlestar.runners.docker.image import build_image, find_image

    console: Any = Console(stderr=True)
    with engine_errors():
        digest = find_image(client, recipe.tag)
        return digest or build_image(
            client, recipe, lambda line: console.print(Text(line, style="dim"), soft_wrap=True)
        )
