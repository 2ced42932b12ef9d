"""Calls of the command line in this process."""

from typer.testing import CliRunner, Result

from mlestar.cli import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
