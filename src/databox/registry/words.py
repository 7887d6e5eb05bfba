"""Command lines out of text, without a shell: words and quotes, nothing that expands or joins."""

import re
import shlex

from databox.wire.errors import BadRequest

_SHELL = re.compile(r"[|&;<>$`(){}*?\[\]~#!\n]")
"""Signs that mean something to a shell. Nothing here has one, so they would do nothing."""


def split(text: str, *, field: str) -> tuple[str, ...]:
    """Split a command line into words.

    Raises:
        BadRequest: it is empty, needs a shell, or a quote stays open.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise _refused(field, text) from error
    if not words or _SHELL.search(text):
        raise _refused(field, text)
    return words


def _refused(field: str, text: str) -> BadRequest:
    return BadRequest(
        "this command needs a shell",
        code="run-command",
        field=field,
        found=text[:100],
        remedy='Write one program and its arguments, as in ["node", "server.js"]',
    )
