"""`conductor plan iam` tells who gets what on what, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from orchestration.cli.main import app
from orchestration.targets.local import LOCAL_DEPLOYER
from rehearsal.cloud.local_cloud import DEPLOYER as DEPLOYER_OF_THE_LOCAL_CLOUD

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "testdata" / "architectures" / "tracer.yaml")
DEPLOYER = "user:ada@example.com"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of this test's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    return tmp_path


def plan(*words: str) -> Result:
    """Run `conductor plan iam` on the sample."""
    return CliRunner().invoke(app, ["plan", "iam", SAMPLE, *words])


def planned(*words: str) -> dict[str, Any]:
    """Return the plan that the command prints as JSON."""
    done = plan("--json", *words)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_plan_names_member_role_resource_stack_and_reason(project: Path) -> None:
    """Each grant is complete, and nothing is made on the way."""
    found = planned("--env", "test", "--project", "some-project")
    (publishing,) = (
        grant
        for grant in found["application"]
        if grant["role"] == "roles/pubsub.publisher" and grant["resource"]["name"] == "tracer-topic"
    )
    assert publishing == {
        "member": "serviceAccount:tracer-publisher-sa@some-project.iam.gserviceaccount.com",
        "role": "roles/pubsub.publisher",
        "resource": {"kind": "topic", "name": "tracer-topic"},
        "stack": "test.dataflow.tracer-flow",
        "reason": "service tracer-publisher produces topic tracer-topic",
    }
    assert not (project / ".conductor").exists()


def test_harness_is_apart_with_its_roles_and_the_deployers_rights() -> None:
    """The director's role is spelled out; a deployer's grants are there when there is one."""
    assert {role["role"] for role in planned()["custom_roles"]} == {
        "projects/local-proj/roles/tracer_director"
    }
    director = "serviceAccount:servicedirector-sa@local-proj.iam.gserviceaccount.com"
    assert {g["member"] for g in planned("--env", "dev")["harness"]} == {director}
    assert {g["member"] for g in planned()["harness"]} == {director, LOCAL_DEPLOYER}
    assert LOCAL_DEPLOYER == DEPLOYER_OF_THE_LOCAL_CLOUD
    with_deployer = [
        g for g in planned("--deployer", DEPLOYER)["harness"] if g["member"] == DEPLOYER
    ]
    assert {grant["role"] for grant in with_deployer} == {
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
    }


def test_on_google_the_director_gets_one_bucket_and_one_key() -> None:
    """Objects of the state bucket and use of the key, with reasons; on one machine neither."""
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    found = planned(
        "--env", "prod", "--state-bucket", "gs://state-1", "--secrets-provider", f"gcpkms://{key}"
    )
    of_state = {
        grant["resource"]["name"]: grant
        for grant in found["harness"]
        if grant["resource"]["name"] in {"state-1", key}
    }
    assert {name: (grant["role"], grant["stack"]) for name, grant in of_state.items()} == {
        "state-1": ("roles/storage.objectUser", "prod.foundation"),
        key: ("roles/cloudkms.cryptoKeyEncrypterDecrypter", "prod.foundation"),
    }
    director = "serviceAccount:servicedirector-sa@local-proj.iam.gserviceaccount.com"
    assert {grant["member"] for grant in of_state.values()} == {director}
    assert "keeps dataflow stacks' state" in of_state["state-1"]["reason"]
    assert len(planned("--env", "prod")["harness"]) == len(found["harness"]) - 2


def test_yaml_says_what_json_says() -> None:
    """One plan, two spellings."""
    done = plan("--format", "yaml")
    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout) == planned()


def test_table_has_every_grant_once_and_says_how_many() -> None:
    """The default is for people: short names, by stack."""
    done = plan()
    found = planned()
    for grant in (*found["application"], *found["harness"]):
        assert grant["stack"] in done.stdout
        assert grant["reason"] in done.stdout
    application, harness = len(found["application"]), len(found["harness"])
    counts = f"{application} grants of the application, {harness} grants of the harness"
    assert done.stdout.splitlines()[-1] == counts
    assert "serviceAccount:" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "xml"], "is none of: table, yaml, json"),
        (["--deployer", "ada"], "is no IAM member"),
        (["--env", "No"], "not usable"),
        (["--state-bucket", "state-1"], "both its bucket and its key"),
    ],
)
def test_wrong_option_is_refused(words: list[str], said: str) -> None:
    """Exit 2 and one clear line."""
    done = plan(*words)
    assert done.exit_code == 2
    assert said in done.output


def test_warnings_do_not_spoil_what_programs_read(tmp_path: Path) -> None:
    """They go to standard error."""
    path = tmp_path / "services.yaml"
    place = "          buildable_module_path: tracer-subscriber\n"
    secret = "          secret_environment_vars: [{name: TOKEN, value_from: token}]\n"
    text = Path(SAMPLE).read_text().replace(place, place + secret)
    path.write_text(text)
    done = CliRunner().invoke(app, ["plan", "iam", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert "unpinned-secret" in done.stderr
    secrets = [
        grant
        for grant in json.loads(done.stdout)["application"]
        if grant["resource"]["kind"] == "secret"
    ]
    assert [grant["role"] for grant in secrets] == ["roles/secretmanager.secretAccessor"]


def test_grants_of_googles_agents_are_apart(tmp_path: Path) -> None:
    """Dead letters need two; whose they are only the project's number says."""
    path = tmp_path / "services.yaml"
    place = "          topic: tracer-topic\n"
    added = "          dead_letter_policy: {topic: verify-topic}\n"
    path.write_text(Path(SAMPLE).read_text().replace(place, place + added))
    done = CliRunner().invoke(app, ["plan", "iam", str(path), "--json"])
    assert done.exit_code == 0, done.output
    agents = json.loads(done.stdout)["agents"]
    assert {(g["role"], g["resource"]["name"]) for g in agents} == {
        ("roles/pubsub.publisher", "verify-topic"),
        ("roles/pubsub.subscriber", "tracer-sub"),
    }
    assert {grant["member"].split("@")[1] for grant in agents} == {
        "gcp-sa-pubsub.iam.gserviceaccount.com"
    }
    table = CliRunner().invoke(app, ["plan", "iam", str(path)]).stdout
    assert "What Google's own agents need" in table
    assert "subscription tracer-sub gives up to topic verify-topic" in table
