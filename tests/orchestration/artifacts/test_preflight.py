"""Pre-flight tests of services: run in their folders, in parallel, before any cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.artifacts.preflight import PreflightCase, PreflightValidator
from orchestration.errors import PreflightFailed

PASSING = """
import os
def test_names():
    assert os.environ["EXPECTED_TOPIC_NAME"] in open(os.environ["RESOURCES_FILE"]).read()
"""


def make_case(folder: Path, name: str, test: str | None, expected: str = "orders") -> PreflightCase:
    """Make a service's folder with a pytest pre-flight test, and what it must find."""
    service = folder / name
    service.mkdir()
    if test is not None:
        (service / "preflight_test.py").write_text(test)
    resources = folder / f"{name}.yaml"
    resources.write_text("topics:\n- name: orders\n")
    return PreflightCase(name, service, resources, {"EXPECTED_TOPIC_NAME": expected})


def test_a_service_that_finds_its_names_passes(tmp_path: Path) -> None:
    """1.2, 1.7: the test sees the generated file and the expected names."""
    report = PreflightValidator().validate([make_case(tmp_path, "cart", PASSING)])
    assert report.passed == ("cart",)


def test_every_failing_service_is_named(tmp_path: Path) -> None:
    """1.2: all cases run, whatever the others do, and the message names each that failed."""
    cases = [
        make_case(tmp_path, "cart", PASSING, expected="other"),
        make_case(tmp_path, "mail", PASSING),
        make_case(tmp_path, "stock", "def test_no():\n    assert False, 'empty shelf'\n"),
    ]
    with pytest.raises(PreflightFailed) as caught:
        PreflightValidator().validate(cases)
    assert "cart, stock" in caught.value.message
    assert "mail" not in caught.value.message
    assert "empty shelf" in caught.value.details


def test_a_service_without_tests_is_reported_not_failed(tmp_path: Path) -> None:
    """Step 1, item 2: no pre-flight test is a warning."""
    report = PreflightValidator().validate([make_case(tmp_path, "cart", None)])
    assert report.without_tests == ("cart",)


def test_an_executable_serves_in_any_language(tmp_path: Path) -> None:
    """Step 1, item 2: an executable `preflight` is run in the service's folder."""
    case = make_case(tmp_path, "cart", None)
    script = case.folder / "preflight"
    script.write_text('#!/bin/sh\ngrep -q "$EXPECTED_TOPIC_NAME" "$RESOURCES_FILE" && touch ran\n')
    script.chmod(0o755)
    report = PreflightValidator().validate([case])
    assert report.passed == ("cart",)
    assert (case.folder / "ran").exists()


def test_an_executable_that_cannot_run_is_a_failure(tmp_path: Path) -> None:
    """A broken interpreter line is told, not raised."""
    case = make_case(tmp_path, "cart", None)
    script = case.folder / "preflight"
    script.write_text("#!/nowhere/at/all\n")
    script.chmod(0o755)
    with pytest.raises(PreflightFailed, match="cart") as caught:
        PreflightValidator().validate([case])
    assert "cannot be run" in caught.value.details
