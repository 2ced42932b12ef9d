"""With `share=names`, a script uses the value of a cell as the name of its error.

Outcome: succeeds; stated in docs/security.md. The name of an error is how an agent repairs a script.
"""

import pytest

from mlestar.agents.sharing import limit_message, limit_output

SCRIPT = """
cell = "alice17Error"
raise type(cell, (Exception,), {})("secret")
"""
OUTPUT = "Traceback (most recent call last):\n__main__.alice17Error: secret\n"


def test_the_name_of_an_error_is_shared_and_its_text_is_not() -> None:
    with pytest.raises(Exception, match="secret") as caught:
        exec(SCRIPT)  # the script above
    assert caught.type.__name__ == "alice17Error"
    assert "alice17" in limit_output(OUTPUT, "names")
    assert "secret" not in limit_output(OUTPUT, "names")
    assert "secret" not in limit_message("error, exit status 1: ValueError: secret", "names")
