"""What a component finds in its sandbox: its name and what it was granted, from the environment."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from databox.wire.errors import BadRequest
from databox.wire.exactness import RAW, WORDS

GRANTED = "DATASOURCE_"
DESCRIBE = "DATABOX_DESCRIBE"


class Granted(NamedTuple):
    """One data source the owner picked for an ask. `exact`: as in `wire.exactness`."""

    store: str
    source: str
    exact: str
    unit: str
    description: str


class Surroundings(NamedTuple):
    """All of it. `granted` by client id; `own_store`: a driver's, else empty."""

    granted: Mapping[str, Granted]
    own_store: str
    may_export: bool
    describe: bool


def read(environment: Mapping[str, str]) -> Surroundings:
    """Read the environment.

    Raises:
        BadRequest: a granted source is not a catalogue item, or of an unknown exactness.
    """
    return Surroundings(
        granted={
            name.removeprefix(GRANTED): _granted(name, text)
            for name, text in environment.items()
            if name.startswith(GRANTED)
        },
        own_store=_host(environment.get("DATABOX_STORE_ENDPOINT", "")),
        may_export="DATABOX_EXPORT_SERVICE_ENDPOINT" in environment,
        describe=environment.get(DESCRIBE) == "1",
    )


def _granted(name: str, text: str) -> Granted:
    try:
        item: Any = json.loads(text)
        pairs = {pair["rel"]: pair["val"] for pair in item["item-metadata"]}
        href = str(item["href"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest("this is not a catalogue item", field=name, found=text[:80]) from error
    windows = str(pairs.get("urn:X-databox:rels:hasGranularity", RAW))
    exact = str(pairs.get("urn:X-databox:rels:hasPrecision", windows))
    if exact not in WORDS:
        raise BadRequest("this exactness is not known", field=name, found=exact[:80])
    return Granted(
        store=_host(href),
        source=href.rpartition("/")[2],
        exact=exact,
        unit=str(pairs.get("urn:X-databox:rels:hasUnit", "")),
        description=str(pairs.get("urn:X-hypercat:rels:hasDescription:en", "")),
    )


def _host(url: str) -> str:
    # By hand: the library's URL parser costs 1.5 MB, and these come from the box itself.
    return url.partition("://")[2].partition("/")[0].partition(":")[0]
