"""Each rule finds what it is for, at the right place, and leaves a right file alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import architecture
from architecture.findings import Finding, InvalidArchitecture, Severity
from architecture.loading import load, loads

BASE = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      intake:
        service_account: intake-sa
        dependencies: [director]
        health_check: {path: /health}
        deployment:
          source_path: .
          environment_vars: {MODE: fast}
          secret_environment_vars:
            - {name: TOKEN, value_from: token, version: 1}
      billing:
        service_account: billing-sa
        dependencies: [intake]
    resources:
      topics:
        - name: orders-topic
          producer_service: {name: intake}
      subscriptions:
        - name: orders-sub
          topic: orders-topic
          consumer_service: {name: billing}
          ack_deadline_seconds: 30
      bigquery_datasets:
        - name: sales
      bigquery_tables:
        - name: invoices
          dataset: sales
          producers: [{name: billing}]
      gcs_buckets:
        - name: shop-receipts
          producers: [{name: billing}]
      firestore_databases:
        - name: shop-carts
      firestore_collections:
        - name: carts
          database: shop-carts
          consumers: [{name: intake}]
      cloud_scheduler_jobs:
        - name: nightly
          schedule: 0 3 * * *
          target_service: billing
  returns:
    services:
      refund:
        service_account: refund-sa
    resources:
      topics:
        - name: returns-topic
          producer_service: {name: refund}
"""

INFRA_RESOURCES = """\
    resources:
      topics:
        - name: commands
        - {name: completions, producer_service: {name: director}}
      subscriptions:
        - {name: commands-sub, topic: commands, consumer_service: {name: director}}
"""

INFRA = f"  director-infra:\n{INFRA_RESOURCES}"

# rule, what is replaced in BASE + INFRA, by what, and the text at whose start the finding is.
CASES = [
    ("unknown-key", "region:", "regoin:", "regoin"),
    (
        "duplicate-key",
        "region: europe-west1",
        "region: europe-west1\nregion: us-central1",
        "region: us",
    ),
    ("missing-key", "dataset: sales", "description: x", "name: invoices"),
    ("wrong-type", "ack_deadline_seconds: 30", "ack_deadline_seconds: 30s", "30s"),
    ("wrong-type", "ack_deadline_seconds: 30", 'ack_deadline_seconds: "30"', '"30"'),
    ("wrong-type", "health_check: {path: /health}", "health_check: /health", "/health"),
    ("wrong-type", "dependencies: [intake]", "dependencies: intake", "intake\n    resources"),
    ("wrong-type", "topic: orders-topic", "topic: {name: orders-topic}", "{name: orders-topic}"),
    ("wrong-type", "{MODE: fast}", "{MODE: }", "MODE"),
    ("wrong-type", "{MODE: fast}", "[MODE]", "[MODE]"),
    (
        "unknown-value",
        "dataset: sales",
        "dataset: sales\n          time_partitioning_type: WEEK",
        "WEEK",
    ),
    (
        "dangling-service",
        "producer_service: {name: intake}",
        "producer_service: {name: intke}",
        "intke",
    ),
    ("dangling-service", "target_service: billing", "target_service: nobody", "nobody"),
    ("dangling-dependency", "[director]", "[directr]", "directr"),
    ("dangling-topic", "topic: orders-topic", "topic: order-topic", "order-topic"),
    ("dangling-dataset", "dataset: sales", "dataset: sale", "sale\n"),
    ("dangling-database", "database: shop-carts", "database: other", "other"),
    ("dependency-cycle", "[director]", "[billing]", "dependencies: [billing]"),
    ("dependency-cycle", "[director]", "[intake]", "dependencies: [intake]"),
    (
        "director-dependency",
        "service_account: director-sa",
        "service_account: director-sa\n  dependencies: [refund]",
        "dependencies: [refund]",
    ),
    (
        "duplicate-name",
        "name: returns-topic",
        "name: orders-topic",
        "orders-topic\n          producer_service: {name: refund}",
    ),
    (
        "duplicate-name",
        "      refund:",
        "      billing:",
        "billing:\n        service_account: refund-sa",
    ),
    (
        "name-mismatch",
        "service_account: intake-sa",
        "service_account: intake-sa\n        name: other",
        "other",
    ),
    ("bad-architecture-name", "name: shop\n", "name: my shop\n", "my shop"),
    ("bad-project-id", "name: shop\n", "name: shop\nproject_id: X\n", "X\n"),
    ("bad-region", "region: europe-west1", "region: europe", "europe"),
    ("bad-dataflow-name", "  returns:", "  re.turns:", "re.turns"),
    ("bad-service-name", "      refund:", "      Refund:", "Refund:"),
    ("bad-account-name", "refund-sa", "sa", "sa\n    resources"),
    ("bad-account-name", "refund-sa", "somebody@example.com", "somebody"),
    ("bad-topic-name", "name: returns-topic", "name: goog-topic", "goog-topic"),
    ("bad-subscription-name", "name: orders-sub", "name: s", "s\n          topic"),
    ("bad-dataset-name", "- name: sales", "- name: sa-les", "sa-les"),
    ("bad-table-name", "name: invoices", "name: in/voices", "in/voices"),
    ("bad-bucket-name", "name: shop-receipts", "name: Receipts", "Receipts"),
    ("bad-database-name", "- name: shop-carts", "- name: S", "S\n"),
    ("bad-job-name", "name: nightly", "name: every night", "every night"),
    ("bad-variable-name", "{MODE: fast}", "{MO-DE: fast}", "fast"),
    ("bad-secret-name", "value_from: token", "value_from: projects/x/secrets/token", "projects/x"),
    ("bad-duration", "ack_deadline_seconds: 30", "message_retention_duration: soon", "soon"),
    ("bad-duration", "ack_deadline_seconds: 30", "message_retention_duration: 600", "600"),
    ("duration-out-of-range", "ack_deadline_seconds: 30", "message_retention_duration: 8d", "8d"),
    (
        "duration-out-of-range",
        "ack_deadline_seconds: 30",
        "message_retention_duration: 9m59s",
        "9m59s",
    ),
    (
        "duration-out-of-range",
        "name: returns-topic",
        "name: returns-topic\n          message_retention_duration: 32d",
        "32d",
    ),
    (
        "duration-out-of-range",
        "ack_deadline_seconds: 30",
        "retry_policy: {maximum_backoff: 601s}",
        "601s",
    ),
    ("duration-out-of-range", "dataset: sales", "dataset: sales\n          expiration: 1s", "1s"),
    (
        "backoff-order",
        "ack_deadline_seconds: 30",
        "retry_policy: {minimum_backoff: 9s, maximum_backoff: 8s}",
        "retry_policy",
    ),
    ("out-of-range", "ack_deadline_seconds: 30", "ack_deadline_seconds: 9", "9\n"),
    ("out-of-range", "{path: /health}", "{path: /health, port: 70000}", "70000"),
    ("out-of-range", "source_path: .", "max_instances: 0", "0\n"),
    (
        "out-of-range",
        "ack_deadline_seconds: 30",
        "dead_letter_policy: {topic: orders-topic, max_delivery_attempts: 4}",
        "4}",
    ),
    ("instance-order", "source_path: .", "min_instances: 3\n          max_instances: 2", "3\n"),
    ("bad-cpu", "source_path: .", "cpu: lots", "lots"),
    ("bad-memory", "source_path: .", "memory: 512", "512"),
    ("bad-health-path", "{path: /health}", "{path: health}", "health}"),
    ("bad-secret-version", "version: 1", "version: one", "one}"),
    (
        "bad-role",
        "name: returns-topic",
        "name: returns-topic\n          iam_access_policy: [{name: intake, role: viewer}]",
        "viewer",
    ),
    (
        "policy-not-possible",
        "name: nightly",
        "name: nightly\n          iam_access_policy: [{name: intake, role: roles/x}]",
        "{name: intake, role",
    ),
    ("reserved-variable", "{MODE: fast}", "{PORT: fast}", "fast"),
    ("reserved-variable", "{name: TOKEN,", "{name: K_SERVICE,", "K_SERVICE"),
    (
        "reserved-variable",
        "producer_service: {name: intake}",
        "producer_service: {name: intake, lookup: {method: env, key: PORT}}",
        "PORT",
    ),
    ("reserved-path", "{path: /health}", "{path: /healthz}", "/healthz"),
    ("reserved-path", "{path: /health}", "{path: /_ah/warmup}", "/_ah"),
    (
        "public-principal",
        "name: returns-topic",
        (
            "name: returns-topic\n          iam_access_policy:"
            " [{name: allUsers, role: roles/pubsub.publisher}]"
        ),
        "allUsers",
    ),
    ("plain-secret", "{MODE: fast}", "{MODE: AKIAABCDEFGHIJKLMNOP}", "AKIA"),
    ("bad-bucket-name", "name: shop-receipts", "name: g00gle-shop", "g00gle"),
    ("bad-bucket-name", "name: shop-receipts", "name: 10.0.0.1", "10.0.0.1"),
    ("bad-location", "- name: sales", "- name: sales\n          location: Mars", "Mars"),
    ("director-topics", "{name: completions}", "{name: commands}", "commands}\ndataflows"),
    (
        "director-topics-missing",
        "        - {name: completions, producer_service: {name: director}}\n",
        "",
        "resources:\n      topics:\n        - name: commands",
    ),
    ("director-topics-missing", INFRA_RESOURCES, "    description: x\n", "director-infra:"),
    (
        "director-topics-missing",
        "consumer_service: {name: director}",
        "consumer_service: {name: refund}",
        "subscriptions:\n        - {name: commands-sub",
    ),
    (
        "director-topics-missing",
        ", producer_service: {name: director}",
        "",
        "{name: completions}\n      subscriptions",
    ),
    (
        "director-dataflow",
        "  director-infra:\n",
        "  director-infra:\n    services: {extra: {service_account: extra-sa}}\n",
        "services: {extra",
    ),
]


def findings_of(text: str) -> tuple[Finding, ...]:
    """Return everything that is found in a text."""
    try:
        return loads(text, Path("services.yaml")).warnings
    except InvalidArchitecture as error:
        return error.findings


def place(text: str, wanted: str) -> tuple[int, int]:
    """Return line and column at which a piece of text starts."""
    before = text[: text.index(wanted)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.parametrize("text", [BASE, BASE + INFRA])
def test_right_file_has_no_finding(text: str) -> None:
    """Neither with the director's dataflow spelled out nor without."""
    assert findings_of(text) == ()


@pytest.mark.parametrize(
    ("rule", "old", "new", "wanted"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_rule_finds_what_it_is_for(rule: str, old: str, new: str, wanted: str) -> None:
    """One wrong thing in a right file is found by its rule, where it is, with a way out."""
    text = (BASE + INFRA).replace(old, new, 1)
    assert text != BASE + INFRA
    found = {finding.rule: finding for finding in reversed(findings_of(text))}
    assert rule in found, list(found)
    assert found[rule].severity is Severity.ERROR
    assert found[rule].message
    assert found[rule].fix
    assert (found[rule].line, found[rule].column) == place(text, wanted)


@pytest.mark.parametrize(
    ("rule", "old", "new", "wanted"),
    [
        ("plain-secret", "{MODE: fast}", "{DB_PASSWORD: hunter2}", "hunter2"),
        ("bucket-name-global", "name: shop-receipts", "name: receipts", "receipts\n"),
        ("region-conflict", "- name: sales", "- name: sales\n          location: US", "US"),
    ],
)
def test_what_may_be_meant_so_is_a_warning(rule: str, old: str, new: str, wanted: str) -> None:
    """The file can be used; whoever wrote it is told."""
    text = BASE.replace(old, new, 1)
    (finding,) = findings_of(text)
    assert (finding.rule, finding.severity) == (rule, Severity.WARNING)
    assert (finding.line, finding.column) == place(text, wanted)


@pytest.mark.parametrize("name", ["TOKEN_URL", "PASSWORD_FILE", "SECRET_NAME", "MODE"])
def test_what_only_speaks_of_a_secret_is_none(name: str) -> None:
    """A place or a name of a secret may stand in the file."""
    assert findings_of(BASE.replace("MODE: fast", f"{name}: fast")) == ()


def test_cycle_is_printed_as_a_path() -> None:
    """Whoever has to break it sees all of it."""
    text = BASE.replace("[director]", "[billing]")
    (finding,) = findings_of(text)
    assert finding.message.endswith(
        ("billing -> intake -> billing", "intake -> billing -> intake"),
    )


def test_every_cycle_is_reported() -> None:
    """Two circles are two findings."""
    text = BASE.replace("[director]", "[billing]").replace(
        "service_account: refund-sa", "service_account: refund-sa\n        dependencies: [refund]"
    )
    assert [finding.rule for finding in findings_of(text)] == ["dependency-cycle"] * 2


def test_dataflows_that_need_each_other_are_a_cycle_though_their_services_are_none() -> None:
    """Stacks go up as wholes: `orders` needs `returns`, which needs `orders`."""
    text = BASE.replace("[director]", "[refund]").replace(
        "service_account: refund-sa",
        "service_account: refund-sa\n        dependencies: [other]\n",
    )
    text = text.replace(
        "      billing:\n", "      other: {service_account: other-sa}\n      billing:\n"
    )
    (finding,) = findings_of(text)
    assert finding.rule == "dataflow-cycle"
    assert "orders" in finding.message
    assert "returns" in finding.message


def test_dataflows_that_use_each_others_topics_are_a_cycle() -> None:
    """Neither `dataflow` stack could go up first."""
    text = BASE.replace("topic: orders-topic", "topic: returns-topic") + (
        "      subscriptions:\n        - {name: back, topic: orders-topic}\n"
    )
    (finding,) = findings_of(text)
    assert finding.rule == "dataflow-cycle"


def test_dataset_that_nobody_declares_is_left_to_hydration() -> None:
    """Only one that looks like a misspelling is a mistake."""
    assert findings_of(BASE.replace("dataset: sales", "dataset: weather")) == ()


def test_secret_without_a_version_is_a_warning() -> None:
    """Two deployments of one file could differ."""
    for unpinned in ("", ", version: latest"):
        (finding,) = findings_of(BASE.replace(", version: 1", unpinned))
        assert (finding.rule, finding.severity) == ("unpinned-secret", Severity.WARNING)


def test_topic_of_the_director_may_be_used_without_being_declared() -> None:
    """Hydration declares it."""
    assert findings_of(BASE.replace("topic: orders-topic", "topic: completions")) == ()


def test_one_broken_item_does_not_move_the_findings_of_the_next(tmp_path: Path) -> None:
    """What cannot be read keeps its place in the list."""
    text = BASE.replace(
        "      topics:\n        - name: orders-topic", "      topics:\n        -\n        - name: t"
    )
    found = {finding.rule: finding for finding in findings_of(text)}
    assert (found["bad-topic-name"].line, found["bad-topic-name"].column) == place(
        text, "t\n          producer"
    )


def test_every_rule_has_a_case() -> None:
    """A rule's id in the source is one in the cases above, or in the test of what reads files."""
    source = "".join(p.read_text() for p in Path(architecture.__file__).parent.rglob("*.py"))
    ids = set(
        re.findall(r'"((?:bad|dangling|director|duplicate|unknown)-[a-z]+(?:-[a-z]+)*)"', source)
    )
    assert ids <= {case[0] for case in CASES}


def test_messages_stay_on_one_line_whatever_the_file_says() -> None:
    """Names of any length, and characters that move a cursor, are quoted short and escaped."""
    name = '"' + "x\\n\\e[31m" * 100 + '"'
    for finding in findings_of(BASE.replace("topic: orders-topic", f"topic: {name}")):
        assert str(finding).isprintable()
        assert len(str(finding)) < 1200


def test_golden_findings() -> None:
    """A file with everything wrong gives exactly the recorded lines."""
    folder = Path(__file__).parent / "golden"
    with pytest.raises(InvalidArchitecture) as error:
        load(folder / "wrong.yaml")
    lines = [str(finding).replace(f"{folder}/", "") for finding in error.value.findings]
    assert lines == (folder / "wrong.findings.txt").read_text().splitlines()
