"""Log of the commands that run as services."""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator

from wire.text import printable


class Lines(logging.Handler):
    """Writes log records to standard error: as lines, or as JSON lines. Small gateways have no package rich."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, if it can be written."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        if self._as_json:
            values = {
                "time": round(record.created, 3),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": text,
            }
            line = json.dumps(values)
        else:
            line = time.strftime("%H:%M:%S  ", time.localtime(record.created))
            line += f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
            line += "\n".join(printable(part) for part in text.split("\n"))
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def logged(as_json: bool = False) -> Iterator[None]:
    """Write the log of this process to standard error."""
    logger, handler = logging.getLogger(), Lines(as_json)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its start and end are ours
    try:
        yield
    finally:
        logger.removeHandler(handler)
