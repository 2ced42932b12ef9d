"""Texts by which a script, a model or a file name attacks a terminal, and texts that must stay as they are."""

import unicodedata

HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear screen": "\x1b[2J\x1b[H",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "title": "\x1b]0;owned\x1b\\",
    "link": "\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "device string": "\x1bP1$r0m\x1b\\",
    "reset": "\x1bc",
    "alternate screen": "\x1b[?1049h",
    "charset": "\x1b(0",
    "eight-bit colour": "\x9b31m",
    "eight-bit command": "\x9d52;c;cm0=\x9c",
    "carriage return": "hidden\rshown",
    "backspace": "abc\b\b\bxyz",
    "bell": "\a",
    "form feed": "\x0c\x0b\x85",
    "nul and delete": "\x00\x7f",
    "bidi override": "\u202egnp.exe\u202c",
    "bidi isolate": "\u2066a\u2069\u061c\u200f",
    "zero width": "a\u200bb\u2060c\ufeffd",
    "separators": "a\u2028b\u2029c",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "surrogate": "\ud800",
    "unfinished": "\x1b]52;c;never ends",
}
LEGIBLE = (
    "Größe, naïve, £5 and 20 °C",
    "数据 データ 데이터",
    "данные δεδομένα",
    "بيانات נתונים",
    "می\u200cخواهم",  # noqa: RUF001  # Persian
    "क्\u200dष",
    "e\u0301 n\u0303",
    "👩\u200d💻 🏳\ufe0f\u200d🌈 🇩🇪",
    "first\n\tsecond",
)


def hidden_marks(text: str) -> list[str]:
    """Return the characters that no terminal must get: controls but for newline and tab, and what reverses or hides."""
    kept = "\n\t\u200c\u200d"
    return [
        f"U+{ord(mark):04X}"
        for mark in text
        if unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") and mark not in kept
    ]
