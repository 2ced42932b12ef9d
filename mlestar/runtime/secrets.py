"""What the log never holds: keys in errors of other libraries, and control characters of foreign text."""

import logging

from mlestar.errors import clean_text, mask_secrets


class MaskingHandler(logging.NullHandler):
    """Writes nothing, as a library's handler should, and masks and cleans the record for the handlers that follow."""

    def handle(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the arguments do not fit: the handlers that follow report it
            return True
        # A line that foreign text begins is indented, so that it does not look like a record of its own.
        harmless = clean_text(mask_secrets(message)).replace("\n", "\n    ")
        if harmless != message:
            record.msg, record.args = harmless, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, clean_text(mask_secrets(trace))
        return True
