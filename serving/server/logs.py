"""One line a message, of key=value pairs, as log collectors read them.

No line holds a text of a request: messages of this server do not, and of an error only its kind and
place are written.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from typing import TextIO

# The loggers of this project; the libraries' are heard when they warn.
OURS = ("prodcls_tf", "serving")

_PLAIN = re.compile(r"[\w.:/+-]+")


class LogfmtFormatter(logging.Formatter):
    """Writes records as `time=... level=... logger=... message="..."`.

    Example:
      >>> record = logging.LogRecord("serving", logging.INFO, "", 0, "It is up.", (), None)
      >>> LogfmtFormatter().format(record).partition(" ")[2]
      'level=INFO logger=serving message="It is up."'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Writes a record on one line."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        pairs = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            pairs["error"] = record.exc_info[0].__name__
            places = traceback.extract_tb(record.exc_info[2])
            if places:
                pairs["at"] = f"{places[-1].filename}:{places[-1].lineno}"
        return " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items())


def log_to(stream: TextIO) -> None:
    """Sends all logs of this process there, and nowhere else.

    Args:
      stream: to write to.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.INFO)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
