"""A secret value, however deep in a resource, is in no step of a preview."""

from pulumi.automation.events import EngineEvent

from orchestration.automation.events import EventReader
from orchestration.automation.results import MASKED_SECRET, ignore_event

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hunter2"'}


def test_a_secret_is_masked_however_deep_it_is() -> None:
    """In lists and mappings, before and after, whether encrypted or in the clear."""
    reader = EventReader("s", ignore_event)
    state = {
        "urn": "urn:pulumi:s::conductor::gcp:x:X::x",
        "type": "gcp:x:X",
        "custom": True,
        "id": "x",
        "parent": "",
        "provider": "",
        "inputs": {"plain": "seen", "deep": [{"env": {"value": SECRET}}]},
        "outputs": {},
    }
    metadata = {
        "op": "update",
        "urn": state["urn"],
        "type": "gcp:x:X",
        "provider": "",
        "logical": True,
        "old": state,
        "new": state,
    }
    event = {"timestamp": 0, "sequence": 0, "resourcePreEvent": {"metadata": metadata}}
    reader(EngineEvent.from_json(event))
    (step,) = reader.steps
    assert "hunter2" not in repr(step)
    assert step.after == {"plain": "seen", "deep": [{"env": {"value": MASKED_SECRET}}]}
    assert step.before == step.after
