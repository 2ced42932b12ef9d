"""Keys never reach the log: the package logs none, and those in errors of other libraries are masked here."""

import logging

from mlestar.errors import mask_secrets


class MaskingHandler(logging.NullHandler):
    """Writes nothing, as a library's handler should, and masks secrets in the record for the handlers that follow."""

    def handle(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the arguments do not fit: the handlers that follow report it
            return True
        masked = mask_secrets(message)
        if masked != message:
            record.msg, record.args = masked, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, mask_secrets(trace)
        return True
