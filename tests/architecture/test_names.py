"""Cloud names are computed in one place, the same for every layer."""

from __future__ import annotations

from architecture import names
from architecture.model import Architecture


def test_stack_is_named_after_environment_layer_and_dataflow() -> None:
    """The name says what the stack is."""
    assert names.stack_name("dev", "foundation") == "dev.foundation"
    assert names.stack_name("dev", "dataflow", "tracer-flow") == "dev.dataflow.tracer-flow"


def test_account_is_one_whether_given_short_or_in_full() -> None:
    """Another project's account stays another account."""
    email = "worker@shop-project.iam.gserviceaccount.com"
    assert names.account_id(email, "shop-project") == "worker"
    assert names.account_id("worker", "shop-project") == "worker"
    assert names.account_id(email, "other-project") == email
    assert names.account_email("worker", "shop-project") == email
    assert names.account_email(email, "other-project") == email
    assert names.member(email) == f"serviceAccount:{email}"


def test_accounts_of_the_architecture_are_listed_once(hydrated: Architecture) -> None:
    """Services may share one; foreign ones are nobody's to make."""
    assert names.service_accounts(hydrated) == (
        "servicedirector-sa",
        "tracer-publisher-sa",
        "tracer-subscriber-sa",
    )
    foreign = hydrated.director.model_copy(
        update={"service_account": "x@other-project.iam.gserviceaccount.com"}
    )
    arch = hydrated.model_copy(update={"service_manager_spec": foreign})
    assert names.service_accounts(arch) == ("tracer-publisher-sa", "tracer-subscriber-sa")


def test_paths_are_full_resource_names() -> None:
    """As Google's APIs take them."""
    assert names.topic_path("p-1234", "t") == "projects/p-1234/topics/t"
    assert names.subscription_path("p-1234", "s") == "projects/p-1234/subscriptions/s"
    assert names.account_path("a", "p-1234") == (
        "projects/p-1234/serviceAccounts/a@p-1234.iam.gserviceaccount.com"
    )


def test_images_live_in_the_services_repository(hydrated: Architecture) -> None:
    """Repositories are listed once, however many services use them."""
    assert names.image_repositories(hydrated) == ("cloud-deploy",)
    registry = names.registry_host("europe-west1")
    assert names.image_name(registry, "p-1234", "repo", "svc") == (
        "europe-west1-docker.pkg.dev/p-1234/repo/svc"
    )


def test_command_subscription_is_known_before_and_after_hydration(
    sample: Architecture, hydrated: Architecture
) -> None:
    """The one that the file declares, else the one that hydration will add."""
    assert names.command_subscription(sample) == "command-topic-sub"
    assert names.command_subscription(hydrated) == "command-topic-sub"
