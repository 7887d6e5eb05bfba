"""The page of routes and caveats that arbiters have shown since 2017. Pure."""

from collections.abc import Iterable
from html import escape

from databox.arbiter.policy import Permission


def page(names: Iterable[str], permissions: Iterable[Permission]) -> str:
    """HTML: for each component its routes (method, target, path), each with its caveats."""
    held: dict[str, list[str]] = {name: [] for name in names}
    for permission in permissions:
        held.setdefault(permission.grant.client, []).extend(_lines(permission))
    sections = "".join(
        f"<h2>{escape(name)}</h2><ul>{''.join(lines) or '<li>nothing</li>'}</ul>"
        for name, lines in held.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Arbiter</title>'
        f"<h1>Who may do what</h1>{sections}</html>"
    )


def _lines(permission: Permission) -> list[str]:
    caveats = "".join(f"<li>{escape(caveat)}</li>" for caveat in permission.grant.caveats)
    inner = f"<ul>{caveats}</ul>" if caveats else ""
    return [
        f"<li>{escape(f'{route.method} {permission.grant.target} {route.path}')}{inner}</li>"
        for route in permission.routes
    ]
