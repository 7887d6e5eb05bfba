"""How every attack tells what happened: one JSON object, attempt -> "done" or the error's name."""

import errno
import json
import socket
import sys
from collections.abc import Callable
from typing import Any

_results: dict[str, object] = {}


def given() -> Any:
    """What the test passed, by the only argument."""
    return json.loads(sys.argv[1])


def attempt(name: str, action: Callable[[], object]) -> None:
    """Try it. What is refused is told by the name of its error."""
    try:
        action()
    except socket.gaierror:
        _results[name] = "unknown name"
    except TimeoutError:
        _results[name] = "timeout"
    except OSError as error:
        _results[name] = errno.errorcode.get(error.errno or 0, str(error))
    else:
        _results[name] = "done"


def note(name: str, value: object) -> None:
    """Tell something else."""
    _results[name] = value


def report() -> None:
    """The last line of every attack."""
    print(json.dumps(_results))
