"""What doctor says about a machine that cannot run sandboxes."""

import asyncio

import pytest

from databox.engines.sandbox.doctor import bounds, examine
from databox.engines.sandbox.limits import Level, Levels
from databox.engines.sandbox.settings import forbidding


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ],
)
def test_a_forbidding_setting_is_named_with_the_command_that_cures_it(
    setting: str, value: str
) -> None:
    found, remedy = forbidding({setting: value}) or ("", "")
    assert setting in found
    assert f"sysctl -w {setting}=" in remedy


def test_allowing_settings_explain_nothing() -> None:
    assert forbidding({"user.max_user_namespaces": "96365"}) is None


def test_a_missing_program_fails_and_names_the_package() -> None:
    findings = asyncio.run(examine("/nowhere/bwrap", None))
    missing = [finding for finding in findings if finding.level == "fail"]
    assert [finding.name for finding in missing] == ["bubblewrap"]
    assert "apt-get install bubblewrap" in missing[0].remedy


def test_soft_limits_are_told_as_a_warning_with_a_remedy() -> None:
    soft = Levels(memory=Level.WATCHED, processes=Level.PER_PROCESS, cpu=Level.WATCHED)
    finding = bounds(soft)
    assert (finding.level, bool(finding.remedy)) == ("warn", True)
    assert "memory watched" in finding.found
