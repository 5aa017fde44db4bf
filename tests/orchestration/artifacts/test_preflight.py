"""Pre-flight tests of services: run in their folders, in parallel, before any cloud."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from orchestration.artifacts import preflight_commands
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


GO_PROGRAM = """
package main

import _ "embed"

//go:embed resources.yaml
var resources string

func main() {}
"""
GO_TEST = """
package main

import (
	"os"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, name := range strings.Split(os.Getenv("EXPECTED_TOPIC_NAME"), ",") {
		if !strings.Contains(resources, "name: "+name) {
			t.Fatalf("%s is not embedded", name)
		}
	}
}
"""


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
@pytest.mark.timeout(240)
def test_a_go_service_finds_its_names_in_what_it_embeds(tmp_path: Path) -> None:
    """1.7: `go test` embeds the generated file, whatever lies in the service's folder."""
    case = make_case(tmp_path, "cart", None)
    (case.folder / "go.mod").write_text("module example.com/cart\n\ngo 1.18\n")
    (case.folder / "main.go").write_text(GO_PROGRAM)
    (case.folder / "preflight_test.go").write_text(GO_TEST)
    assert PreflightValidator().validate([case]).passed == ("cart",)
    assert not (case.folder / "resources.yaml").exists()

    (case.folder / "resources.yaml").write_text("topics:\n- name: other\n")
    other = dataclasses.replace(case, expectations={"EXPECTED_TOPIC_NAME": "other"})
    with pytest.raises(PreflightFailed) as caught:
        PreflightValidator().validate([other])
    assert "other is not embedded" in caught.value.details


NODE_TEST = """
const file = require("fs").readFileSync(process.env.RESOURCES_FILE, "utf8");
for (const name of process.env.EXPECTED_TOPIC_NAME.split(",")) {
  if (!file.includes(`name: ${name}`)) { console.error(`no ${name}`); process.exit(1); }
}
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
@pytest.mark.parametrize("script", ["test", "preflight"])
def test_a_node_services_script_is_run(tmp_path: Path, script: str) -> None:
    """Step 3, item 6: `npm test`, or a script of its own."""
    case = make_case(tmp_path, "cart", None)
    scripts = {"test": "exit 1", script: "node check.js"}
    (case.folder / "package.json").write_text(json.dumps({"name": "cart", "scripts": scripts}))
    (case.folder / "check.js").write_text(NODE_TEST)
    assert PreflightValidator().validate([case]).passed == ("cart",)
    other = dataclasses.replace(case, expectations={"EXPECTED_TOPIC_NAME": "other"})
    with pytest.raises(PreflightFailed) as caught:
        PreflightValidator().validate([other])
    assert "no other" in caught.value.details


@pytest.mark.parametrize(
    "package",
    [
        "{",
        "[]",
        "{}",
        '{"scripts": []}',
        '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}',
    ],
)
def test_a_package_without_tests_is_one_without_tests(tmp_path: Path, package: str) -> None:
    """What `npm init` leaves there is no test."""
    case = make_case(tmp_path, "cart", None)
    (case.folder / "package.json").write_text(package)
    assert PreflightValidator().validate([case]).without_tests == ("cart",)


def test_a_declared_command_comes_before_all_others(tmp_path: Path) -> None:
    """Step 3, item 6: an explicit command is what is run, in the service's folder."""
    case = make_case(tmp_path, "cart", "def test_no():\n    assert False\n")
    declared = dataclasses.replace(case, command=("sh", "-c", "test -f preflight_test.py"))
    assert PreflightValidator().validate([declared]).passed == ("cart",)


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service in a language that is not installed here fails with a clear line."""
    case = make_case(tmp_path, "cart", None)
    (case.folder / "cart_test.go").write_text(GO_TEST)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreflightFailed) as caught:
        PreflightValidator().validate([case])
    assert "go is not installed here" in caught.value.details


def test_a_test_that_hangs_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where its children hold on to its output."""
    case = make_case(tmp_path, "cart", None)
    monkeypatch.setattr(preflight_commands, "BUILDING_TIMEOUT_S", 0.3)
    hanging = dataclasses.replace(case, command=("sh", "-c", "sleep 60 & sleep 60"))
    started = time.monotonic()
    with pytest.raises(PreflightFailed) as caught:
        PreflightValidator().validate([hanging])
    assert "no end after" in caught.value.details
    assert time.monotonic() - started < 10


def test_all_services_are_tested_at_once(tmp_path: Path) -> None:
    """Step 3, item 6: two tests that wait for each other both pass."""
    wait = "import pathlib, sys, time\n"
    wait += "pathlib.Path(sys.argv[1]).touch()\n"
    wait += "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
    names = [str(tmp_path / "one"), str(tmp_path / "two")]
    cases = [
        dataclasses.replace(
            make_case(tmp_path, service, None), command=(sys.executable, "-c", wait, *order)
        )
        for service, order in (("cart", names), ("mail", names[::-1]))
    ]
    assert PreflightValidator().validate(cases).passed == ("cart", "mail")
