"""Addresses of solutions within the report."""


def anchor(solution: str) -> str:
    """Return the address of a solution in the page."""
    return "#" + anchor_name(solution)


def anchor_name(solution: str) -> str:
    """Return the name of a solution's row in the page, of signs that an address may have."""
    return "solution-" + "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in solution)
