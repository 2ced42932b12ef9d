"""Keys never reach the log: the package logs none, and those in errors of other libraries are masked here."""

import logging
import os
import re

MIN_LENGTH = 8
"""Shorter values are no keys, and masking them would mask ordinary words. Chosen by judgement; not measured."""
VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|DSN", re.IGNORECASE)
"""Environment variables whose values are secret."""
PATTERNS = [
    (re.compile(r"(://)[^/\s@]+@"), r"\1[masked]@"),
    (re.compile(r"\b(?:sk|pk|tvly|lsv2)[-_][\w-]{12,}|\bAIza[\w-]{20,}"), "[masked]"),
    (re.compile(r"(\bBearer\s+)[^\s\"',;]{8,}", re.IGNORECASE), r"\1[masked]"),
    (
        re.compile(r"((?:\b|_)(?:key|token|password|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;)}\]]{8,}", re.IGNORECASE),
        r"\1[masked]",
    ),
]
"""Credentials in addresses, keys of the usual providers, authorization headers, named keys; and what replaces them."""


def mask_secrets(text: str) -> str:
    """Return a text without keys: those of the environment, and whatever looks like one."""
    for name, value in os.environ.items():
        if VARIABLE.search(name) and len(value) >= MIN_LENGTH:
            text = text.replace(value, "[masked]")
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class MaskingHandler(logging.NullHandler):
    """Writes nothing, as a library's handler should, and masks secrets in the record for the handlers that follow."""

    def handle(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_secrets(message)
        if masked != message:
            record.msg, record.args = masked, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, mask_secrets(trace)
        return True
