"""What components, sources and places are called in the owner's sentences. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from databox.wire.names import PARTS, STORE_SUFFIX

GATEWAY, EXPORTS = "gateway", "export-service"
INNER = frozenset({*PARTS, "arbiter", "ledger", "box"})
"""Our own parts, under the names by which they call and are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names for people.

    `titles`: what components are called, by their name; `sources`: what sources are called, by
    store and id; `zone`: minutes east of UTC, for days.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    zone: int = 0

    def who(self, name: str) -> str:
        """Somebody who does something."""
        if name == GATEWAY:
            return "the dashboard"
        if name in INNER:
            return "the box itself"
        driver = name.removesuffix(STORE_SUFFIX)
        if driver != name:
            return f"the keeper of {self.values(name)}"
        return self.titles.get(name, name) or "somebody"

    def values(self, target: str) -> str:
        """All that is kept under one roof: a source's values, or what our own parts hold."""
        if target == EXPORTS:
            return "the way out of the box"
        driver = target.removesuffix(STORE_SUFFIX)
        if driver == target:
            return "the box itself" if target in INNER else self.who(target)
        return f"the values of {self.titles.get(driver, driver)}"

    def roof(self, target: str) -> str:
        """Who keeps values, by the name that the owner knows: a source or the box."""
        return self.who(target.removesuffix(STORE_SUFFIX))

    def source(self, store: str, source: str, label: str = "") -> str:
        """One source. `label`: what it was called then, if that is known."""
        called = label or self.sources.get((store, source), "") or source
        return called or self.roof(store)


def host_of(url: str) -> str:
    """The place that an address names; all of it if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url
