"""The JSON object of a reply, as the parsers of the roles find it."""

from typing import Any

from mlestar.agents.choices import Choices
from mlestar.agents.json_replies import read_objects

read_object: Choices[Any] = Choices("JSON objects", read_objects)
"""Returns the one object of a reply, or raises a ScriptError with the reason."""
