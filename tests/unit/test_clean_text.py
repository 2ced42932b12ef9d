"""Foreign text on its way to a terminal, a log, a report or a client: no control characters, legible otherwise."""

import json
import logging
import unicodedata

import pytest

from mlestar.errors import UserError, clean_text, escape_hidden, first_line
from mlestar.events import Event
from mlestar.integrations.messages import clean_values, describe_error
from tests.unit.hostile import HOSTILE, LEGIBLE, hidden_marks


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_control_character_stays(text: str) -> None:
    shown = clean_text(f"before {text} after")
    assert hidden_marks(shown) == []
    assert shown.startswith("before")
    assert shown.endswith("after")


@pytest.mark.parametrize("text", LEGIBLE)
def test_legible_text_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


def test_a_joiner_stays_only_where_a_script_needs_it() -> None:
    assert clean_text("pass\u200dword") == "password"
    assert clean_text("\u200d\x1b👩\u200d💻") == "👩\u200d💻"


def test_escapes_that_form_when_others_are_removed_do_not_stay() -> None:
    assert hidden_marks(clean_text("\x1b\x1b[0m[31m\x9b\x9b1m1m")) == []


def test_a_carriage_return_does_not_hide_what_was_before_it() -> None:
    assert clean_text("real error\rall is well\r\nnext") == "real error\nall is well\nnext"


def test_no_control_character_of_unicode_stays() -> None:
    marks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")]
    assert {clean_text(f"a{mark}\n") for mark in marks} == {"a\n", "a\n\n", "a\t\n"}


def test_json_has_escapes_in_place_of_control_characters_and_the_same_value() -> None:
    value = {"name": "".join(HOSTILE.values()).replace("\ud800", "")}
    shown = escape_hidden(json.dumps(value, ensure_ascii=False))
    assert hidden_marks(shown) == []
    assert json.loads(shown) == value


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_layer_cleans(text: str, caplog: pytest.LogCaptureFixture) -> None:
    event = Event(stage=f"s{text}", message=f"m{text}\nforged")
    assert hidden_marks(event.stage + event.message) == []
    assert "\n" not in event.message
    assert hidden_marks(first_line(f"m{text}")) == []
    assert hidden_marks(describe_error(UserError(f"m{text}"))) == []
    assert hidden_marks(str(clean_values({"a": [{"b": f"m{text}"}]}["a"][0]["b"]))) == []
    with caplog.at_level(logging.INFO, "mlestar"):
        logging.getLogger("mlestar").info("read %s", f"m{text}\nforged")
    assert hidden_marks(caplog.messages[-1]) == []
    assert "\nforged" not in caplog.messages[-1]
