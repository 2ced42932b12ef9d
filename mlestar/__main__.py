"""`python -m mlestar`."""

from mlestar.cli import main

main()
