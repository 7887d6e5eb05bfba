"""Errors as the owner reads them."""

import re

import pytest

from databox.gateway.told import INNER, told
from databox.wire.errors import (
    BadRequest,
    Conflict,
    DataboxError,
    Denied,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

KINDS = (
    DataboxError,
    BadRequest,
    Denied,
    Unauthenticated,
    NotFound,
    Conflict,
    TooLarge,
    Unavailable,
)
PROGRAMMERS = re.compile(
    r"\b(peer|arbiter|zygote|gateway|manager|token|caveat|store|driver|uid|pair)s?\b", re.IGNORECASE
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_what_to_do(kind):
    assert told(kind("something is wrong")).remedy


def test_an_error_in_plain_words_is_told_as_it_is():
    error = Conflict("it has ended", code="until-past", field="f", found="x", remedy="Choose")
    assert told(error).as_json() == error.as_json()


@pytest.mark.parametrize("code", INNER)
def test_inner_working_is_told_in_the_owners_words(code):
    said = told(Unavailable("the peer did not answer", code=code, found="os-monitor-store"))
    assert not PROGRAMMERS.search(f"{said.message} {said.remedy}")
    assert (said.code, said.found, said.status) == (code, "os-monitor-store", 503)


def test_telling_leaves_the_error_itself_alone():
    error = Unavailable("the peer did not answer", code="peer-lost")
    told(error)
    assert (error.message, error.remedy) == ("the peer did not answer", None)
