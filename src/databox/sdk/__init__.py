"""What an app or a driver is written with; it runs inside their sandbox.

An app imports `App` and `view`, a driver `Driver`. Names are loaded when they are asked for,
because a driver that writes numbers needs neither views nor their message library (4 MB).
Nothing here is privileged: all it can do, a program in any language can do over HTTP.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databox.sdk import view
    from databox.sdk.app import App
    from databox.sdk.driver import Driver

__all__ = ["App", "Driver", "view"]


def __getattr__(name: str) -> Any:
    match name:
        case "App":
            from databox.sdk.app import App

            return App
        case "Driver":
            from databox.sdk.driver import Driver

            return Driver
        case "view":
            import importlib

            return importlib.import_module("databox.sdk.view")
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
