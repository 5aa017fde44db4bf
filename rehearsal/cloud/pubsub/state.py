"""The broker of each local cloud, made on first use and shared by REST and every gRPC port."""

from weakref import WeakKeyDictionary

from rehearsal.cloud.iam.access import ACCOUNTS
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.message_faults import MessageFaults
from rehearsal.cloud.pubsub.message_log import MessageLog
from rehearsal.cloud.pubsub.push import Pushers

_BROKERS: WeakKeyDictionary[LocalCloud, Broker] = WeakKeyDictionary()


def _token(cloud: LocalCloud, email: str, audience: str) -> str | None:
    """A token of an account, as long as it is there and not disabled."""
    account = cloud.store.get(ACCOUNTS, f"{cloud.project}/serviceAccounts/{email}")
    if account is None or account.get("disabled"):
        return None
    return cloud.tokens.identity_token(email, audience)


def broker_of(cloud: LocalCloud) -> Broker:
    """Return the cloud's broker."""
    broker = _BROKERS.get(cloud)
    if broker is None:
        log = MessageLog(cloud.data_dir / "messages.sqlite")
        pushers = Pushers(lambda email, audience: _token(cloud, email, audience))
        broker = Broker(
            cloud.store,
            log,
            cloud.iam,
            pushers,
            MessageFaults(cloud.faults, cloud.log),
            project_number=cloud.project_number,
        )
        _BROKERS[cloud] = broker
    return broker
