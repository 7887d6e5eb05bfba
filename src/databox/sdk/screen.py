"""From what an app's function gives to the screen that the shell draws."""

import traceback
from collections.abc import Callable, Iterable
from typing import Any, get_args

import msgspec

from databox.wire import views
from databox.wire.errors import BadRequest, DataboxError

_VIEWS = get_args(views.View)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(views.Screen)

Shown = Any
"""What a screen function may give: a view, a text, None, or a list of these."""


def render(give: Callable[[], Shown]) -> list[views.View]:
    """Call an app's function for its views; a failure becomes a text that says what to do."""
    try:
        found = collect(give())
        check(found)
    except DataboxError as error:
        said = str(error)
        return [_failure(said[:1].upper() + said[1:])]
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        traceback.print_exc()
        return [_failure(f"This screen failed: {type(error).__name__}: {error} ({_place(error)})")]
    return found


def collect(shown: Shown) -> list[views.View]:
    """Flatten what an app gave into a list of views.

    Raises:
        BadRequest: something that is no view.
    """
    if shown is None:
        return []
    if isinstance(shown, str):
        return [views.Words(text=shown[:4000])]
    if isinstance(shown, _VIEWS):
        return [shown]
    if isinstance(shown, Iterable) and not isinstance(shown, bytes | dict):
        return [view for item in shown for view in collect(item)]
    raise BadRequest(
        "a screen is made of views",
        field="screen",
        found=type(shown).__name__,
        remedy="Return view.text(…), view.series(…), view.bars(…) or a list of them",
    )


def check(found: list[views.View]) -> None:
    """See that the shell will accept these views.

    Raises:
        BadRequest: a bound of `wire.views` is passed; the message names it.
    """
    text = encode(views.Screen(views=found))
    if len(text) > views.MAX_SCREEN:
        raise BadRequest(
            "the screen is too large",
            found=f"{len(text)} bytes",
            remedy=f"Show less: at most {views.MAX_SCREEN} bytes",
        )
    try:
        _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadRequest("the shell cannot draw this screen", found=str(error)) from error


def encode(screen: views.Screen) -> bytes:
    """The screen as JSON."""
    return _encoder.encode(screen)


def _failure(text: str) -> views.View:
    return views.Words(text=text[:4000], style="warning")


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"line {last.lineno} of {last.filename.rpartition('/')[2]}"
