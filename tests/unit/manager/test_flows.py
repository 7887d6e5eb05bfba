from databox.manager import flows
from databox.wire.api import Grant
from databox.wire.manifest import Manifest, OutsideAsk

HUE = Manifest(
    name="hue",
    databox_type="driver",
    external_whitelist=(OutsideAsk(urls=("https://api.hue.test",)),),
)


def grant(kind, **more):
    return Grant(id="g1", client="app", target=more.pop("target", "hue-store"), kind=kind, **more)


def test_reading_alone_reaches_nothing():
    assert flows.reaches("app", [grant("source")], {"hue": HUE}) == ()


def test_acting_on_a_driver_that_talks_outside_reaches_its_hosts():
    (place,) = flows.reaches("app", [grant("act")], {"hue": HUE})
    assert str(place) == "api.hue.test (through hue)"


def test_an_export_reaches_its_host():
    url = "https://sum.test:8443/x"
    places = flows.reaches("app", [grant("export", destinations=(url,))], {})
    assert flows.headline(places) == "Sends to sum.test:8443"


def test_the_headline_says_when_nothing_leaves():
    assert flows.headline([]) == "Stays on your box"


def test_an_unusable_address_never_raises():
    assert flows.host_of("https://[::1") == "an unusable address"


def test_a_name_that_looks_like_another_is_shown_in_its_own_letters():
    assert flows.host_of("https://ex\u0430mple.test/x") == "xn--exmple-4nf.test"


def test_places_carry_the_port_the_switchboard_compares():
    assert flows.place_of("https://a.test/x") == "a.test:443"
    assert flows.place_of("https://a.test:8443/x") == "a.test:8443"
