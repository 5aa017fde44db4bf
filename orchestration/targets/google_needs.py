"""What a run on Google's cloud needs, in the order in which somebody would settle it.

Everything is read, nothing made; without credentials the cloud's part is told, not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from architecture.apis import required_apis
from architecture.grants import plan_grants
from architecture.model import Architecture
from architecture.names import registry_host
from orchestration.errors import ConductorError
from orchestration.targets import cloud_needs, machine_needs, quotas
from orchestration.targets.cloud_reads import CloudReads
from orchestration.targets.google import GoogleTarget, key_path
from orchestration.targets.google_credentials import IMPERSONATION_VARIABLE, LOGIN
from orchestration.targets.prerequisite import Prerequisite, Seen, missing, ok, unknown

IDENTITY, PROJECT, STATE, DIRECTOR = "identity", "project", "state", "director"
APIS = "APIs"
BLIND = "there are no credentials, or no project is named"
# A project whose file names none: what is printed still reads as commands.
UNNAMED_PROJECT = "your-project"
# What the look itself and the state need, before phase 2 enables the others.
FIRST_APIS: Mapping[str, str] = {
    "cloudkms.googleapis.com": "the stacks' secrets are behind a key of it",
    "cloudresourcemanager.googleapis.com": "phase 1 asks it what the deployer may do",
    "serviceusage.googleapis.com": "phase 2 enables the other APIs through it",
    "storage.googleapis.com": "the stacks' state is in a bucket",
}
LATER = "phase 2 enables it"


def google_prerequisites(
    target: GoogleTarget, architecture: Architecture, project_dir: Path
) -> Iterator[Prerequisite]:
    """Yield everything that a run on Google's cloud needs."""
    reads = _reads(target)
    yield from machine_needs.real_engine("the embedded engine talks to a local cloud only")
    yield machine_needs.program(project_dir)
    yield machine_needs.docker("the official docker provider builds every image with it")
    yield machine_needs.docker_login(registry_host(architecture.region))
    yield from machine_needs.sources(architecture)
    yield from _identity(target, reads)
    yield from _project(target, reads)
    yield from _apis(architecture, reads)
    yield from _state(target, architecture, reads)
    yield from cloud_needs.roles(architecture, reads, lambda: target.deployer, blind=BLIND)
    yield from _granted_by_the_run(architecture)
    yield from cloud_needs.secrets(architecture, target.record.name, reads, blind=BLIND)
    yield _memory(architecture)
    yield from quotas.worth_checking(architecture)


def _reads(target: GoogleTarget) -> CloudReads | None:
    """Make what reads the cloud; None without credentials or without a project."""
    try:
        target.own_credentials.find()
    except ConductorError:
        return None
    if target.project_id == UNNAMED_PROJECT:
        return None
    return CloudReads(target.endpoints(), target.access_token, target.project_id)


def _identity(target: GoogleTarget, reads: CloudReads | None) -> Iterator[Prerequisite]:
    def found() -> Seen:
        try:
            target.own_credentials.find()
        except ConductorError as error:
            return missing(error.message)
        return ok("found")

    def account() -> Seen:
        if reads is None:
            return unknown(BLIND)
        if not target.own_credentials.find().is_service_account:
            return missing("the credentials are a person's, to whom Google gives no identity token")
        return ok(target.deployer)

    yield Prerequisite(
        IDENTITY,
        "Application Default Credentials",
        "who deploys; they are never written to state or configuration",
        LOGIN,
        found,
    )
    yield Prerequisite(
        IDENTITY,
        "a service account to deploy as",
        "health checks of private services take identity tokens; no key file is needed:"
        f" {IMPERSONATION_VARIABLE} names the account, too",
        LOGIN,
        account,
    )


def _project(target: GoogleTarget, reads: CloudReads | None) -> Iterator[Prerequisite]:
    project = target.project_id

    def named() -> Seen:
        if project == UNNAMED_PROJECT:
            return missing("neither the file nor --project names a project")
        return unknown(BLIND) if reads is None else reads.project()

    yield Prerequisite(
        PROJECT,
        f"project {project}",
        "everything is deployed to it",
        f"gcloud projects create {project}",
        named,
    )
    yield Prerequisite(
        PROJECT,
        "billing",
        "Artifact Registry and Cloud Run refuse to work without",
        f"gcloud billing projects link {project} --billing-account=ACCOUNT",
        lambda: unknown(BLIND) if reads is None else reads.billing(),
    )


def _apis(architecture: Architecture, reads: CloudReads | None) -> Iterator[Prerequisite]:
    @cache
    def enabled() -> frozenset[str] | None:
        assert reads is not None
        return reads.enabled_apis()

    def look(api: str) -> Seen:
        if reads is None:
            return unknown(BLIND)
        known = enabled()
        if known is None:
            return unknown("you may not list the project's APIs")
        if api in known:
            return ok("enabled")
        return missing(f"{api} is not enabled") if api in FIRST_APIS else ok(f"not yet: {LATER}")

    for api in sorted({*FIRST_APIS, *required_apis(architecture)}):
        yield Prerequisite(
            APIS,
            api,
            FIRST_APIS.get(api, LATER),
            f"gcloud services enable {api} --project={architecture.project_id}",
            partial(look, api),
        )


def _state(
    target: GoogleTarget, architecture: Architecture, reads: CloudReads | None
) -> Iterator[Prerequisite]:
    bucket, provider = target.record.state_bucket, target.record.secrets_provider
    shown = bucket or "STATE_BUCKET"
    path = key_path(provider) if provider else ""

    def of_bucket(look: Callable[[CloudReads, str], Seen]) -> Seen:
        if not bucket:
            return missing("no state bucket is named: add --state-bucket gs://STATE_BUCKET")
        return unknown(BLIND) if reads is None else look(reads, bucket)

    def of_key(look: Callable[[CloudReads, str], Seen]) -> Seen:
        if not path:
            return missing("no key is named: add --secrets-provider gcpkms://projects/…")
        return unknown(BLIND) if reads is None else look(reads, path)

    yield Prerequisite(
        STATE,
        f"bucket gs://{shown}",
        "the stacks' state, and nothing else: the director may write all of it",
        f"gcloud storage buckets create gs://{shown} --project={target.project_id}"
        f" --location={architecture.region} --uniform-bucket-level-access"
        f" --public-access-prevention && gcloud storage buckets update gs://{shown} --versioning",
        partial(of_bucket, CloudReads.bucket),
    )
    yield Prerequisite(
        STATE,
        "rights on the bucket",
        "reads and writes state; lets the director do the same",
        f"gcloud storage buckets add-iam-policy-binding gs://{shown} --member=MEMBER"
        " --role=roles/storage.admin",
        partial(of_bucket, CloudReads.bucket_rights),
    )
    yield Prerequisite(
        STATE,
        f"key {path or 'of Cloud KMS'}",
        "what the stacks' secrets are behind: no passphrase that somebody must keep",
        _key_command("create", path),
        partial(of_key, CloudReads.key),
    )
    yield Prerequisite(
        STATE,
        "rights on the key",
        "encrypts and decrypts; lets the director do the same",
        _key_command("add-iam-policy-binding", path),
        partial(of_key, CloudReads.key_rights),
    )


def _key_command(verb: str, path: str) -> str:
    parts = path.split("/") if path else ["", "PROJECT", "", "PLACE", "", "RING", "", "KEY"]
    project, place, ring, key = parts[1], parts[3], parts[5], parts[7]
    where = f"--keyring={ring} --location={place} --project={project}"
    if verb == "create":
        return f"gcloud kms keys create {key} {where} --purpose=encryption"
    bind = f"gcloud kms keys {verb} {key} {where} --member=MEMBER --role=roles/cloudkms."
    # Administering a key does not include using it.
    return f"{bind}admin && {bind}cryptoKeyEncrypterDecrypter"


def _granted_by_the_run(architecture: Architecture) -> Iterator[Prerequisite]:
    """Yield what the deployer gets of the run itself, which nobody has to grant."""
    deployer = "serviceAccount:deployer"
    accounts: dict[str, int] = {}
    for grant in plan_grants(architecture, deployer=deployer).harness:
        if grant.member == deployer:
            accounts[grant.role] = accounts.get(grant.role, 0) + 1
    for role, count in sorted(accounts.items()):
        yield Prerequisite(
            cloud_needs.ROLES,
            f"{role} on {count} of the services' accounts",
            "`conductor plan iam --deployer MEMBER` has each with its reason",
            "conductor up …",
            lambda: ok("nothing to do: phase 2 grants it"),
        )


def _memory(architecture: Architecture) -> Prerequisite:
    deployment = architecture.director.deployment
    memory = deployment.memory if deployment is not None else "no deployment"
    return Prerequisite(
        DIRECTOR,
        f"memory of {architecture.director.name}",
        "an engine, a provider and Python run beside each other for every dataflow in work",
        "set service_manager_spec.deployment.memory, at first to 2Gi",
        lambda: unknown(f"the file says {memory}; what it takes was never measured on Google"),
    )
