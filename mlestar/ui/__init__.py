"""The local page: runs of a folder in a browser of the same machine."""
