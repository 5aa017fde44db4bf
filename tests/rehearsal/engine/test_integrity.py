"""A state that breaks the rules is found, marked and refused, in the real engine's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import World
from hypothesis import given
from hypothesis import strategies as st
from pulumi import automation as auto

from rehearsal.engine.state import integrity, states
from rehearsal.engine.state.integrity import Standing
from rehearsal.engine.state.recorder import Recorder
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns

ROOT = urns.make("dev", "demo", urns.ROOT_TYPE, "demo-dev")
PROVIDER = urns.make("dev", "demo", "pulumi:providers:fake", "default")


def thing(name: str, **fields: Any) -> ResourceState:
    """Make a custom resource of the default provider."""
    urn = urns.make("dev", "demo", "fake:index:Thing", name)
    made = ResourceState(urn, "fake:index:Thing", custom=True, id=name, parent=ROOT, **fields)
    made.provider = urns.reference(PROVIDER, "p")
    return made


@st.composite
def valid_states(draw: st.DrawFn) -> list[ResourceState]:
    """Draw a valid state: a root, a provider, and things that stand on earlier ones."""
    resources = [
        ResourceState(ROOT, urns.ROOT_TYPE, custom=False),
        ResourceState(PROVIDER, "pulumi:providers:fake", custom=True, id="p"),
    ]
    for number in range(draw(st.integers(1, 6))):
        earlier = st.sampled_from([state.urn for state in resources])
        made = thing(
            f"t{number}",
            dependencies=draw(st.lists(earlier, max_size=2)),
            property_dependencies={"a": draw(st.lists(earlier, max_size=2))},
            deleted_with=draw(st.just("") | earlier),
        )
        made.parent = draw(st.just("") | earlier)
        resources.append(made)
        if draw(st.booleans()):
            # It was replaced, and its original waits for its deletion.
            waiting = states.copy_of(made)
            waiting.delete = True
            resources.append(waiting)
    return resources


def is_sound(resources: list[ResourceState]) -> bool:
    """Ask both forms of the rules, which must agree."""
    quick = integrity.is_sound(Standing.of(state) for state in resources)
    assert quick == (integrity.violation(resources) == "")
    assert quick == (integrity.violation(resources, integrity.READING) == "")
    return quick


MISSING = urns.make("dev", "demo", "fake:index:Thing", "missing")
MUTATIONS = {
    "parent": lambda state: setattr(state, "parent", MISSING),
    "dependency": lambda state: setattr(state, "dependencies", [MISSING]),
    "property": lambda state: setattr(state, "property_dependencies", {"a": [MISSING]}),
    "deleted_with": lambda state: setattr(state, "deleted_with", MISSING),
    "itself": lambda state: setattr(state, "dependencies", [state.urn]),
    "provider": lambda state: setattr(state, "provider", urns.reference(PROVIDER, "another")),
    "no_provider": lambda state: setattr(state, "provider", urns.reference(ROOT, "p")),
    "half_provider": lambda state: setattr(state, "provider", "nonsense"),
    "type": lambda state: setattr(state, "type", ""),
    "urn": lambda state: setattr(state, "urn", ""),
    "no_urn": lambda state: setattr(state, "urn", "urn:nonsense"),
    "component": lambda state: setattr(state, "custom", False),
}


@given(valid_states())
def test_no_valid_state_is_refused(resources: list[ResourceState]) -> None:
    """Whatever keeps the rules is accepted, also half-way through replacements."""
    assert is_sound(resources)


@given(valid_states(), st.sampled_from(sorted(MUTATIONS)), st.data())
def test_every_broken_reference_is_found(
    resources: list[ResourceState], mutation: str, data: st.DataObject
) -> None:
    """One bad field of one resource is enough."""
    # One that waits for its deletion may stand on its own successor.
    chosen = [state for state in resources[2:] if not state.delete]
    MUTATIONS[mutation](data.draw(st.sampled_from(chosen)))
    assert not is_sound(resources)


@given(valid_states(), st.data())
def test_order_and_duplicates_are_checked(
    resources: list[ResourceState], data: st.DataObject
) -> None:
    """Moving what is needed behind what needs it, taking it out or doubling it is found."""
    needed = {urn for state in resources for urn in state.required()}
    at = data.draw(
        st.sampled_from([at for at, state in enumerate(resources) if state.urn in needed])
    )
    others = resources[:at] + resources[at + 1 :]
    rest = [state for state in others if state.urn != resources[at].urn]
    assert not is_sound(rest)
    if len(rest) == len(others):
        assert not is_sound([*rest, resources[at]])
    if not resources[at].delete:
        assert not is_sound([*resources, states.copy_of(resources[at])])


@given(valid_states(), st.data())
def test_any_order_is_judged_alike(resources: list[ResourceState], data: st.DataObject) -> None:
    """The quick form and the one with words agree on every permutation."""
    is_sound(data.draw(st.permutations(resources)))


def test_words_are_the_real_engine_s() -> None:
    """Each sentence as it stands in the real one, for what is written and what was read."""
    a, b = thing("a"), thing("b")
    head = [
        ResourceState(ROOT, urns.ROOT_TYPE, custom=False),
        ResourceState(PROVIDER, "pulumi:providers:fake", custom=True, id="p"),
    ]
    b.dependencies = [a.urn]
    assert (
        integrity.violation([*head, b, a])
        == f"resource {b.urn}'s dependency {a.urn} comes after it"
    )
    assert (
        integrity.violation([*head, b]) == f"resource {b.urn} refers to missing dependency {a.urn}"
    )
    assert integrity.violation([*head, b], integrity.READING) == (
        f"resource {b.urn}'s dependency {a.urn} refers to missing resource"
    )
    b.dependencies = []
    b.property_dependencies = {"k": [a.urn]}
    assert integrity.violation([*head, b]) == (
        f"resource {b.urn} refers to missing property dependency {a.urn}"
    )
    assert integrity.violation([*head, b, a], integrity.READING) == (
        f"resource {b.urn}'s property dependency {a.urn} (from property k) comes after it"
    )
    assert integrity.violation([*head[1:], a]) == (
        f"child resource {a.urn} refers to missing parent {ROOT}"
    )
    assert integrity.violation([head[0], a]) == (
        f"resource {a.urn} refers to unknown provider {PROVIDER}::p"
    )
    a.pending_replacement = True
    assert integrity.violation([head[0], a]) == ""
    assert integrity.violation([*head, a, a]) == (
        f"duplicate resource {a.urn} (not marked for deletion)"
    )


TWO = 'first = Thing("a", name="a"); Thing("b", name="b", after=first.url)'


def broken(bench: Bench) -> dict[str, Any]:
    """Bring two things up and turn their order round in the file; return the document."""
    bench.program(TWO)
    bench.stack().up()
    file = bench.checkpoint_file()
    document: dict[str, Any] = json.loads(file.read_text())
    resources = document["checkpoint"]["latest"]["resources"]
    resources[-2:] = reversed(resources[-2:])
    file.write_text(json.dumps(document))
    return document


def test_broken_state_is_refused_with_what_to_do(bench: Bench) -> None:
    """Whoever reads it is told what is wrong, and which file to put in its place."""
    broken(bench)
    stack = bench.stack()
    for operation in (stack.preview, stack.up, stack.refresh, stack.destroy):
        with pytest.raises(auto.CommandError) as caught:
            operation()
        text = str(caught.value)
        assert "snapshot integrity failure; refusing to use it: " in text
        assert f"{bench.checkpoint_file()}.bak" in text
        assert "comes after it" in text
    # What has no use for the order shows the state all the same.
    assert stack.export_stack().deployment["resources"]


def test_broken_state_is_used_on_demand_and_marked(bench: Bench) -> None:
    """With `--disable-integrity-checking` the state is what it is, and says so of itself."""
    broken(bench)
    for command, left in (("refresh", True), ("up", False)):
        words = [command, "--yes", "--stack", "dev", "--disable-integrity-checking"]
        done = bench.engine.execute(words, bench.root, bench.full_environ)
        assert done.code == 0, done.stdout + done.stderr
        marked = bench.latest()["metadata"].get("integrity_error")
        if left:
            assert marked == {
                "version": "3",
                "command": " ".join(["pulumi", *words]),
                "error": integrity_of(bench),
            }
        else:
            # An update puts everything in order.
            assert marked is None
    assert bench.stack().up().summary.resource_changes == {"same": 3}


def integrity_of(bench: Bench) -> str:
    """Check the state that is on disk."""
    return integrity.violation(bench.snapshot().resources)


def test_violation_while_writing_fails_the_operation(
    bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that breaks the rules is written, marked, and the end of the operation."""
    whole = Recorder.snapshot

    def upside_down(self: Recorder) -> Any:
        made = whole(self)
        made.resources.reverse()
        return made

    bench.program(TWO)
    stack = bench.stack()
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "snapshot", upside_down)
        with pytest.raises(auto.CommandError) as caught:
            stack.up()
    text = str(caught.value)
    assert text.count("snapshot integrity failure; it was already written") == 2
    assert "post-step event returned an error: failed to save snapshot: " in text
    marked = bench.latest()["metadata"]["integrity_error"]
    assert marked["error"] == integrity_of(bench) != ""
    assert marked["version"] == "3"
    assert "b" not in bench.resources()


def test_tampered_manifest_is_refused(bench: Bench) -> None:
    """The magic has to be that of the version."""
    bench.program(TWO)
    stack = bench.stack()
    stack.up()
    file = bench.checkpoint_file()
    file.write_text(file.read_text().replace('"magic":"', '"magic":"0'))
    with pytest.raises(auto.CommandError, match="magic cookie mismatch; possible tampering"):
        stack.preview()


def test_broken_deployment_is_not_imported(bench: Bench, tmp_path: Path) -> None:
    """An import is checked as well, and what forces it only warns."""
    document = broken(bench)
    export = tmp_path / "export.json"
    export.write_text(json.dumps({"version": 3, "deployment": document["checkpoint"]["latest"]}))
    words = ["stack", "import", "--file", str(export), "--stack", "dev"]
    refused = bench.engine.execute(words, bench.root, bench.full_environ)
    assert refused.code == 1
    assert "1) state file contains errors: " in refused.stderr
    assert "importing this file could be dangerous; rerun with --force" in refused.stderr
    forced = bench.engine.execute([*words, "--force"], bench.root, bench.full_environ)
    assert forced.code == 0
    assert forced.stderr.startswith("warning: state file contains errors: ")
    unchecked = [*words, "--disable-integrity-checking"]
    assert bench.engine.execute(unchecked, bench.root, bench.full_environ).stderr == ""
