"""Manifests of 2017: the same document means another thing for a driver."""

import json

import pytest

from databox.wire import manifest
from databox.wire.errors import BadRequest
from databox.wire.manifest import Manifest, SourceOffer

SOURCE = {
    "type": "light",
    "required": True,
    "name": "bulb 1",
    "clientid": "BULB",
    "granularities": [],
}


def read(kind: str, version: int = 1, **fields: object) -> Manifest:
    text = {"manifest-version": version, "name": "lamp", "databox-type": kind, **fields}
    return manifest.decode(json.dumps(text).encode())


def test_what_a_driver_lists_is_what_it_provides() -> None:
    found = read("driver", datasources=[SOURCE])
    assert found.datasources == ()
    assert found.provides == (SourceOffer(id="BULB", type="light", description="bulb 1"),)


def test_what_an_app_lists_is_what_it_asks_for() -> None:
    found = read("app", datasources=[SOURCE])
    assert [ask.type for ask in found.datasources] == ["light"]
    assert found.provides == ()


def test_a_driver_of_2017_may_list_hosts_beside_what_it_provides() -> None:
    hosts = [{"urls": ["https://api.example"], "description": "its cloud"}]
    found = read("driver", datasources=[SOURCE], **{"external-whitelist": hosts})
    assert len(found.provides) == len(found.external_whitelist) == 1
    with pytest.raises(BadRequest, match="cannot read other sources"):
        read("driver", 2, datasources=[SOURCE], **{"external-whitelist": hosts})


def test_the_bundles_of_2017_are_known_by_name() -> None:
    package = {
        "name": "test",
        "purpose": "Test",
        "install": "required",
        "risks": "Some.",
        "benefits": "Some.",
        "datastores": ["BULB"],
    }
    found = read("app", packages=[package], **{"allowed-combinations": []})
    assert found.packages[0].benefits == "Some."


def test_a_field_that_nobody_knew_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="sudo"):
        read("app", sudo=True)
