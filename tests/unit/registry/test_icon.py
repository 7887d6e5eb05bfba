"""Pictures of packages: shown as images, bounded, and never in the way."""

import base64

import pytest

from databox.registry.icon import MAX_BYTES, data_url
from databox.wire.manifest import Manifest

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def app(icon: str = "") -> Manifest:
    return Manifest(name="graph", icon=icon)


@pytest.mark.parametrize(
    ("icon", "kind"),
    [("", "svg+xml"), ("icon.svg", "svg+xml"), ("art/Mark.PNG", "png")],
)
def test_picture_is_a_data_url_of_its_kind(icon: str, kind: str) -> None:
    url = data_url(app(icon), {"icon.svg": SVG, "art/Mark.PNG": SVG})
    head, _, body = url.partition(",")
    assert head == f"data:image/{kind};base64"
    assert base64.b64decode(body) == SVG


@pytest.mark.parametrize(
    ("icon", "files"),
    [
        ("", {}),
        ("icon.svg", {"other.svg": SVG}),
        ("icon.html", {"icon.html": SVG}),
        ("https://a.example/icon.svg", {"icon.svg": SVG}),
        ("icon.svg", {"icon.svg": b""}),
        ("icon.svg", {"icon.svg": b" " * (MAX_BYTES + 1)}),
    ],
    ids=["none", "another file", "another kind", "outside", "empty", "too large"],
)
def test_what_cannot_be_shown_is_no_picture(icon: str, files: dict[str, bytes]) -> None:
    assert data_url(app(icon), files) == ""
