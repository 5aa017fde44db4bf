"""What a project as a whole gets: APIs, repositories, accounts, the director's role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.director_role import DirectorRole
from components.enabled_apis import EnabledApis
from components.repository import Repository
from components.service_account import ServiceAccount

if TYPE_CHECKING:
    from tests.components.conftest import Program


def test_apis_are_enabled_once_each_and_stay(program: Program) -> None:
    """Switching an API off could take others' data with it (0.3)."""
    recording = program.run(
        lambda: EnabledApis("apis", project="p", apis=["b.test", "a.test", "b.test"]) and None
    )
    enabled = recording.of("gcp:projects/service:Service")
    assert sorted(service.inputs["service"] for service in enabled) == ["a.test", "b.test"]
    assert {service.inputs["disableOnDestroy"] for service in enabled} == {False}
    assert {service.parent for service in enabled} == {
        recording.one("conductor:project:EnabledApis").urn
    }


def test_a_repository_holds_container_images(program: Program) -> None:
    """Its format is docker's, its place the region of the system."""
    recording = program.run(
        lambda: {"path": Repository("images", project="p", location="r", labels={}).repository_path}
    )
    assert recording.one("gcp:artifactregistry/repository:Repository").inputs["format"] == "DOCKER"
    assert recording.outputs == {"path": "projects/p/locations/r/repositories/images"}


def test_an_account_puts_out_its_email(program: Program) -> None:
    """The e-mail is what the cloud says, known once the account exists (0.4)."""
    recording = program.run(
        lambda: {"email": ServiceAccount("shop-sa", project="p", display_name="shop").email}
    )
    account = recording.one("gcp:serviceaccount/account:Account")
    assert account.parent == recording.one("conductor:access:ServiceAccount").urn
    assert recording.outputs == {"email": "shop-sa@p.iam.gserviceaccount.com"}


def test_the_directors_role_has_each_permission_once(program: Program) -> None:
    """Sorted and without repetition: the same role whatever the order of kinds."""
    recording = program.run(
        lambda: {
            "role": DirectorRole(
                "director", project="p", title="t", permissions=["b.y", "a.x", "b.y"]
            ).role_name
        }
    )
    role = recording.one("gcp:projects/iAMCustomRole:IAMCustomRole")
    assert role.inputs["permissions"] == ["a.x", "b.y"]
    assert recording.outputs == {"role": "projects/p/roles/director"}
