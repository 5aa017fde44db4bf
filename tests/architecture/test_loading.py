"""A file becomes an architecture, or findings that say where and what to do; never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from architecture.findings import Finding, InvalidArchitecture, Severity
from architecture.loading import MAX_BYTES, MAX_ITEMS, load, loads
from architecture.model import Architecture, ServiceMapping


def refusal(text: str) -> tuple[Finding, ...]:
    """Return the findings for which a text is refused."""
    with pytest.raises(InvalidArchitecture) as error:
        loads(text, Path("services.yaml"))
    return error.value.findings


def test_sample_loads_without_a_warning(sample_path: Path) -> None:
    """The file that newcomers read is one that the checks have nothing to say about."""
    loaded = load(sample_path)
    assert loaded.warnings == ()
    assert loaded.path == sample_path
    assert [service.name for service in loaded.architecture.all_services()] == [
        "servicedirector",
        "tracer-publisher",
        "tracer-subscriber",
    ]


def test_service_takes_its_name_from_its_key(sample: Architecture) -> None:
    """`name` need not repeat the key."""
    assert sample.dataflows["tracer-flow"].services["tracer-publisher"].name == "tracer-publisher"


def test_all_findings_come_in_one_pass_in_the_files_order(sample_path: Path) -> None:
    """An unknown key, a wrong type and a dangling name are reported together, each once."""
    text = sample_path.read_text()
    text = text.replace("region: europe-west1", "regoin: europe-west1\nregion: [europe-west1]")
    text = text.replace("topic: tracer-topic", "topic: tracer-topik")
    found = refusal(text)
    rules = [finding.rule for finding in found]
    assert rules == ["unknown-key", "wrong-type", "dangling-topic"]
    assert [finding.line for finding in found] == sorted(finding.line for finding in found)


def test_finding_says_where_what_and_what_to_do() -> None:
    """A finding is one line that an editor can jump to."""
    finding = Finding(
        "unknown-key", Severity.ERROR, Path("a.yaml"), 12, 5, "unknown key", "drop it"
    )
    assert str(finding) == "a.yaml:12:5: error[unknown-key] unknown key (drop it)"


def test_error_lists_every_finding_as_a_line(sample_path: Path) -> None:
    """The exception alone is enough to print."""
    text = sample_path.read_text().replace("name: tracer\n", "nam: tracer\n")
    with pytest.raises(InvalidArchitecture) as error:
        loads(text, Path("services.yaml"))
    assert str(error.value).splitlines() == [str(finding) for finding in error.value.findings]
    line = text[: text.index("nam: tracer")].count("\n") + 1
    expected = f"services.yaml:{line}:1: error[unknown-key] unknown key `nam`"
    assert f"{expected} (did you mean `name`?)" in str(error.value)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty-file"),
        (b"# only a comment\n", "empty-file"),
        (b"name: caf\xe9\n", "not-utf8"),
        ("name: x\n".encode("utf-16"), "not-utf8"),
        (b"a: b: c", "yaml-syntax"),
        (b"- a\n- b\n", "wrong-type"),
        (b"just text", "wrong-type"),
        (b"null", "wrong-type"),
        (b"#" * (MAX_BYTES + 1), "too-large"),
    ],
)
def test_content_that_is_no_architecture_is_a_finding(
    tmp_path: Path, content: bytes, rule: str
) -> None:
    """Whatever a file holds, loading it ends in findings."""
    path = tmp_path / "services.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidArchitecture) as error:
        load(path)
    assert error.value.findings[0].rule == rule
    assert error.value.findings[0].path == path


def test_byte_order_mark_is_no_content(tmp_path: Path, sample_path: Path) -> None:
    """Editors on Windows put one at the start."""
    path = tmp_path / "services.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + sample_path.read_bytes())
    assert load(path).architecture.name == "tracer"


def test_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible path are told apart from bad content."""
    for path, rule in (
        (tmp_path / "missing.yaml", "no-file"),
        (tmp_path, "unreadable-file"),
        (Path("a\x00b"), "unreadable-file"),
    ):
        with pytest.raises(InvalidArchitecture) as error:
            load(path)
        (finding,) = error.value.findings
        assert finding.rule == rule
        assert str(finding).startswith(f"{path}: error[{rule}]")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_file_without_read_rights_is_a_finding(tmp_path: Path) -> None:
    """The reason is the operating system's."""
    path = tmp_path / "services.yaml"
    path.write_text("name: x")
    path.chmod(0)
    with pytest.raises(InvalidArchitecture, match="Permission denied"):
        load(path)


def test_bare_name_of_a_link_loads_with_a_warning(sample_path: Path) -> None:
    """The older generation of files wrote `producer_service: NAME`."""
    text = sample_path.read_text()
    new = "producer_service:\n            name: tracer-publisher\n            lookup:\n"
    assert new in text
    start = text.index(new)
    end = text.index("- name: verify-topic")
    text = text[:start] + "producer_service: tracer-publisher\n        " + text[end:]
    loaded = loads(text, Path("services.yaml"))
    assert [(w.rule, w.severity) for w in loaded.warnings] == [("older-form", Severity.WARNING)]
    topic = loaded.architecture.dataflows["tracer-flow"].resources.topics[0]
    assert topic.producer_service == ServiceMapping(name="tracer-publisher")


def test_nanoseconds_load_with_a_warning(sample_path: Path) -> None:
    """The upstream tool writes durations back as numbers."""
    text = sample_path.read_text().replace(
        "topic: tracer-topic\n",
        "topic: tracer-topic\n          message_retention_duration: 86400000000000\n",
    )
    loaded = loads(text, Path("services.yaml"))
    assert [warning.rule for warning in loaded.warnings] == ["older-form"]
    subscription = loaded.architecture.dataflows["tracer-flow"].resources.subscriptions[0]
    assert subscription.message_retention_duration == "86400s"


def test_numbers_and_words_are_texts_where_texts_are_wanted(sample_path: Path) -> None:
    """`10`, `1.0`, `010` and `yes` stay what was written; no YAML dialect reinterprets them."""
    text = sample_path.read_text().replace(
        "buildable_module_path: tracer-publisher\n",
        "buildable_module_path: tracer-publisher\n          cpu: 1\n"
        "          environment_vars: {A: 10, B: 1.0, C: 010, D: yes, E: true, F: 2024-01-01}\n",
    )
    service = loads(text, Path("services.yaml")).architecture.service("tracer-publisher")
    assert service.deployment is not None
    assert service.deployment.cpu == "1"
    assert service.deployment.environment_vars == {
        "A": "10",
        "B": "1.0",
        "C": "010",
        "D": "yes",
        "E": "true",
        "F": "2024-01-01",
    }


def test_metadata_keeps_any_plain_value(sample_path: Path) -> None:
    """What a service says about itself is the user's own."""
    text = sample_path.read_text().replace(
        "service_account: tracer-publisher-sa\n",
        "service_account: tracer-publisher-sa\n"
        '        metadata: {a: 1, b: 2.5, c: true, d: null, e: [x, "1"], f: {g: no}}\n',
    )
    service = loads(text, Path("services.yaml")).architecture.service("tracer-publisher")
    assert service.metadata == {
        "a": 1,
        "b": 2.5,
        "c": True,
        "d": None,
        "e": ["x", "1"],
        "f": {"g": "no"},
    }


def test_key_without_a_value_is_as_if_it_were_absent(sample_path: Path) -> None:
    """`labels:` with nothing below it says nothing."""
    text = sample_path.read_text() + "labels:\ndeployment_environments: {}\n"
    assert loads(text, Path("services.yaml")).architecture.labels == {}


def test_a_file_of_endless_lines_is_refused_at_once() -> None:
    """Fault case 29: before anything is made of them."""
    for text in ("a: 1\n" * (MAX_ITEMS + 1), "a: [" + "x," * (MAX_ITEMS + 1)):
        with pytest.raises(InvalidArchitecture) as error:
            loads(text, Path("services.yaml"))
        assert [finding.rule for finding in error.value.findings] == ["too-large"]
