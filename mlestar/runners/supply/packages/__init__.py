"""Packages that scripts declare, added to what the runner has: what is allowed, which versions, and their files."""
