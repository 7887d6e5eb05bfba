"""Catalogues: the exact text of 2017, what a data source must say, and simple search."""

import json
from typing import Any

import pytest

from databox.wire import catalogue
from databox.wire.errors import BadRequest

SOURCE: dict[str, Any] = {
    "item-metadata": [
        {"rel": "urn:X-hypercat:rels:hasDescription:en", "val": "Load of the last minute"},
        {"rel": "urn:X-hypercat:rels:isContentType", "val": "text/json"},
        {"rel": "urn:X-databox:rels:hasVendor", "val": "Databox"},
        {"rel": "urn:X-databox:rels:hasType", "val": "loadavg1"},
        {"rel": "urn:X-databox:rels:hasDatasourceid", "val": "load"},
        {"rel": "urn:X-databox:rels:hasStoreType", "val": "store-json"},
        {"rel": "urn:X-databox:rels:isActuator", "val": False},
    ],
    "href": "https://os-monitor-store:443/load",
}


def without(index: int) -> dict[str, Any]:
    pairs = SOURCE["item-metadata"]
    return SOURCE | {"item-metadata": pairs[:index] + pairs[index + 1 :]}


def test_an_empty_root_catalogue_is_the_text_of_2017() -> None:
    assert catalogue.encode(catalogue.root(())).decode() == (
        '{"catalogue-metadata":['
        '{"rel":"urn:X-hypercat:rels:isContentType",'
        '"val":"application/vnd.hypercat.catalogue+json"},'
        '{"rel":"urn:X-hypercat:rels:hasDescription:en","val":"Databox Root Catalogue"},'
        '{"rel":"urn:X-hypercat:rels:hasHomepage","val":"http://www.databoxproject.uk/"},'
        '{"rel":"urn:X-hypercat:rels:containsContentType",'
        '"val":"application/vnd.hypercat.catalogue+json"},'
        '{"rel":"urn:Xhypercat:rels:supportsSearch","val":"urn:X-hypercat:search:simple"}'
        '],"items":[]}'
    )


def test_a_store_catalogue_differs_in_its_description_alone() -> None:
    root = catalogue.encode(catalogue.root(())).decode()
    store = catalogue.encode(catalogue.of_store(())).decode()
    assert store == root.replace("Root", "Datasource")


def test_the_item_of_a_store() -> None:
    item = catalogue.store_item("a-store", "https://a-store:8080")
    assert json.loads(catalogue.encode(item)) == {
        "item-metadata": [
            {
                "rel": "urn:X-hypercat:rels:isContentType",
                "val": "application/vnd.hypercat.catalogue+json",
            },
            {"rel": "urn:X-hypercat:rels:hasDescription:en", "val": "a-store"},
        ],
        "href": "https://a-store:8080",
    }


def test_a_registered_source_reads_back_unchanged() -> None:
    item = catalogue.decode_source(json.dumps(SOURCE).encode())
    assert json.loads(catalogue.encode(item)) == SOURCE
    assert item.source == "load"
    assert item.value(catalogue.IS_ACTUATOR) is False


@pytest.mark.parametrize("index", range(6))
def test_each_required_pair_is_missed_by_name(index: int) -> None:
    with pytest.raises(BadRequest) as caught:
        catalogue.decode_source(json.dumps(without(index)).encode())
    assert caught.value.field == SOURCE["item-metadata"][index]["rel"]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"href": "x"},
        {"item-metadata": []},
        {"item-metadata": [{"rel": "a"}], "href": "x"},
        {"item-metadata": [{"val": "a"}], "href": "x"},
        {"item-metadata": [{"rel": "a", "val": {"b": 1}}], "href": "x"},
        SOURCE | {"href": ""},
        SOURCE | {"href": 5},
        SOURCE | {"item-metadata": SOURCE["item-metadata"] * 20},
        SOURCE | {"item-metadata": SOURCE["item-metadata"] * 2},
        SOURCE
        | {
            "item-metadata": [
                pair | {"val": "../x"} if pair["rel"].endswith("id") else pair
                for pair in SOURCE["item-metadata"]
            ]
        },
    ],
)
def test_an_item_of_another_shape_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        catalogue.decode_source(json.dumps(item).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b" " * 40_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        catalogue.decode_source(body)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["a", "b"]),
        ({"href": "a"}, ["a"]),
        ({"rel": "colour"}, ["a", "b"]),
        ({"rel": "colour", "val": "red"}, ["a"]),
        ({"val": "true"}, ["b"]),
        ({"rel": "colour", "val": "true"}, []),
        ({"val": "red", "href": "b"}, []),
        ({"other": "x"}, ["a", "b"]),
    ],
)
def test_search(query: dict[str, str], found: list[str]) -> None:
    pair = catalogue.Pair
    items = (
        catalogue.Item(metadata=(pair(rel="colour", val="red"),), href="a"),
        catalogue.Item(
            metadata=(pair(rel="colour", val="blue"), pair(rel="on", val=True)), href="b"
        ),
    )
    assert [item.href for item in catalogue.search(items, query)] == found
