"""Uids: one a name, never given twice."""

from pathlib import Path

from databox.box.uids import HIGH_BASE, LOW_BASE, Uids, base_in, parse_map


def test_names_get_different_uids_that_last(tmp_path: Path) -> None:
    uids = Uids(tmp_path / "uids", LOW_BASE)
    first, second = uids.of("hue"), uids.of("warm-home")
    assert first != second
    assert Uids(tmp_path / "uids", LOW_BASE).of("hue") == first


def test_new_name_after_a_restart_gets_a_fresh_uid(tmp_path: Path) -> None:
    Uids(tmp_path / "uids", LOW_BASE).of("hue")
    again = Uids(tmp_path / "uids", LOW_BASE)
    assert again.of("other") not in {None, again.of("hue")}


def test_ordinary_user_gives_out_none(tmp_path: Path) -> None:
    assert Uids(tmp_path / "uids", None).of("hue") is None


def test_base_is_high_where_all_uids_exist() -> None:
    assert base_in(parse_map("         0          0 4294967295\n")) == HIGH_BASE


def test_base_is_low_in_a_container_with_few_uids() -> None:
    assert base_in(parse_map("0 100000 65536\n")) == LOW_BASE
