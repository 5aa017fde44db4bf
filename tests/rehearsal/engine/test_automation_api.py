"""Every method of the Automation API with every parameter it has: it works, or is declined."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

PROGRAM = """
thing = Thing("thing", name="thing", size=config.get_int("size"))
Thing("other", name="other", source=thing.url, deleteFirst=True)
pulumi.export("url", thing.url)
pulumi.export("key", pulumi.Output.secret("s"))
"""
URN = "urn:pulumi:dev::demo::fake:index:Thing::other"
NOBODY = "urn:pulumi:dev::demo::fake:index:Thing::nobody"
CHANGING = ("up", "refresh", "destroy")
PREVIEWING = ("preview", "preview_refresh", "preview_destroy")


def note(_text: object) -> None:
    """Take what a callback is given."""


# What each parameter of the operations is tried with; `{}` is a folder.
WORKS: dict[str, object] = {
    "parallel": 2,
    "message": "a message",
    "target": [URN],
    "exclude": [NOBODY[:-6] + "**"],
    "expect_no_changes": False,
    "diff": True,
    "target_dependents": True,
    "exclude_dependents": True,
    "replace": [URN],
    "color": "always",
    "on_output": note,
    "on_error": note,
    "on_event": note,
    "plan": "{}/plan.json",
    "show_secrets": False,
    "log_flow": True,
    "log_verbosity": 3,
    "log_to_std_err": True,
    "tracing": "file:{}/trace",
    "debug": True,
    "suppress_outputs": True,
    "suppress_progress": True,
    "continue_on_error": True,
    "refresh": True,
    "config_file": "{}/environments/Pulumi.dev.yaml",
    "clear_pending_creates": True,
    "preview_only": True,
    "exclude_protected": True,
    "remove": True,
    "json": True,
}
DECLINED: dict[str, object] = {
    "policy_packs": ["packs"],
    "policy_pack_configs": ["config.json"],
    "program": note,
    "attach_debugger": True,
    "run_program": True,
    "import_file": "import.json",
}


def parameters(method: str) -> list[str]:
    """Name the parameters of one of the stack's methods."""
    return list(inspect.signature(getattr(auto.Stack, method)).parameters)[1:]


def value_of(parameter: str, folder: Path) -> Any:
    """Return what a parameter is tried with."""
    value = {**WORKS, **DECLINED}[parameter]
    return value.replace("{}", str(folder)) if isinstance(value, str) else value


@pytest.fixture
def stack(bench: Bench) -> auto.Stack:
    """A stack that is up."""
    bench.program(PROGRAM)
    stack = bench.stack()
    stack.up()
    return stack


@pytest.mark.parametrize("method", [*CHANGING, *PREVIEWING])
def test_every_parameter_of_an_operation_works_or_is_declined(
    bench: Bench, stack: auto.Stack, method: str
) -> None:
    """Each is given once, on its own; what is not covered says what to use instead."""
    names = parameters(method)
    assert set(names) <= WORKS.keys() | DECLINED.keys()
    stack.preview(plan=str(bench.root / "plan.json"))
    for name in names:
        call = getattr(stack, method)
        given = {name: value_of(name, bench.root)}
        if name in DECLINED:
            with pytest.raises(auto.CommandError, match="not supported by the embedded engine: "):
                call(**given)
            continue
        result = call(**given)
        if method in CHANGING and name != "preview_only":
            assert result.summary is None or result.summary.result == "succeeded"
        if method == "destroy" and name != "preview_only":
            bench.stack().up()
            if name == "remove":
                stack = bench.stack()


def test_results_have_what_their_classes_promise(stack: auto.Stack) -> None:
    """UpResult, PreviewResult and the others are complete."""
    preview = stack.preview()
    assert preview.change_summary == {"same": 3}
    up = stack.up(message="again")
    assert up.outputs["url"].value == "fake://fake:index:Thing/thing"
    assert up.outputs["key"].secret
    assert up.summary.message == "again"
    assert up.summary.kind == "update"
    assert up.summary.result == "succeeded"
    assert up.summary.version == 0
    assert up.summary.start_time <= up.summary.end_time  # type: ignore[operator]
    assert up.summary.environment["exec.kind"] == "auto.local"
    assert up.summary.resource_changes == {"same": 3}
    assert stack.refresh().summary.kind == "refresh"
    assert stack.preview_refresh().change_summary == {"same": 3}
    assert stack.preview_destroy().change_summary == {"delete": 3}
    assert stack.destroy().summary.resource_changes == {"delete": 3}
    assert stack.info().kind == "destroy"  # type: ignore[union-attr]
    assert [entry.kind for entry in stack.history()] == ["destroy", "refresh", "update", "update"]
    assert [entry.kind for entry in stack.history(page_size=1, page=2)] == ["refresh"]


def secret(text: str) -> auto.ConfigValue:
    """Make a secret configuration value."""
    return auto.ConfigValue(text, secret=True)


STACK_CALLS: dict[str, Callable[[auto.Stack], object]] = {
    "outputs": lambda stack: stack.outputs(),
    "set_config": lambda stack: stack.set_config("deep.er[0]", auto.ConfigValue("1"), path=True),
    "get_config": lambda stack: stack.get_config("deep.er[0]", path=True),
    "get_all_config": lambda stack: stack.get_all_config(),
    "set_all_config": lambda stack: stack.set_all_config(
        {"a": auto.ConfigValue("1"), "b": secret("2"), "c.d": secret("3")}, path=True
    ),
    "set_all_config_json": lambda stack: stack.set_all_config_json(
        json.dumps({"demo:j": {"value": "1", "secret": True}})
    ),
    "remove_config": lambda stack: stack.remove_config("c.d", path=True),
    "remove_all_config": lambda stack: stack.remove_all_config(["a", "b"], path=True),
    "refresh_config": lambda stack: stack.refresh_config(),
    "history": lambda stack: stack.history(page_size=2, page=1, show_secrets=False),
    "info": lambda stack: stack.info(show_secrets=False),
    "cancel": lambda stack: stack.cancel(),
    "export_stack": lambda stack: stack.export_stack(),
    "import_stack": lambda stack: stack.import_stack(stack.export_stack()),
}
STACK_DECLINES: dict[str, Callable[[auto.Stack], object]] = {
    "rename": lambda stack: stack.rename("other"),
    "import_resources": lambda stack: stack.import_resources(resources=[]),
    "add_environments": lambda stack: stack.add_environments("base"),
    "list_environments": lambda stack: stack.list_environments(),
    "remove_environment": lambda stack: stack.remove_environment("base"),
    "get_tag": lambda stack: stack.get_tag("a"),
    "set_tag": lambda stack: stack.set_tag("a", "b"),
    "remove_tag": lambda stack: stack.remove_tag("a"),
    "list_tags": lambda stack: stack.list_tags(),
}
WORKSPACE_CALLS: dict[str, Callable[[auto.LocalWorkspace], object]] = {
    "project_settings": lambda workspace: workspace.project_settings(),
    "save_project_settings": lambda workspace: workspace.save_project_settings(
        workspace.project_settings()
    ),
    "stack_settings": lambda workspace: workspace.stack_settings("dev"),
    "save_stack_settings": lambda workspace: workspace.save_stack_settings(
        "dev", workspace.stack_settings("dev")
    ),
    "serialize_args_for_op": lambda workspace: workspace.serialize_args_for_op("dev"),
    "post_command_callback": lambda workspace: workspace.post_command_callback("dev"),
    "who_am_i": lambda workspace: workspace.who_am_i(),
    "stack": lambda workspace: workspace.stack(),
    "create_stack": lambda workspace: workspace.create_stack("new"),
    "select_stack": lambda workspace: workspace.select_stack("dev"),
    "remove_stack": lambda workspace: workspace.remove_stack(
        "new", force=True, preserve_config=True
    ),
    "list_stacks": lambda workspace: workspace.list_stacks(include_all=True),
    "install": lambda workspace: workspace.install(
        no_plugins=True, no_dependencies=True, reinstall=True, use_language_version_tools=True
    ),
    "list_plugins": lambda workspace: workspace.list_plugins(),
    "stack_outputs": lambda workspace: workspace.stack_outputs("dev"),
}
WORKSPACE_DECLINES: dict[str, Callable[[auto.LocalWorkspace], object]] = {
    "new": lambda workspace: workspace.new("python", dir="new"),
    "org_get_default": lambda workspace: workspace.org_get_default(),
    "org_set_default": lambda workspace: workspace.org_set_default("acme"),
    "install_plugin": lambda workspace: workspace.install_plugin("gcp", "v10.2.0"),
    "install_plugin_from_server": lambda workspace: workspace.install_plugin_from_server(
        "gcp", "v10.2.0", "https://example.com"
    ),
    "remove_plugin": lambda workspace: workspace.remove_plugin("gcp", "10.2.0"),
}


def public_methods(kind: type) -> set[str]:
    """Name what a class lets its users call on an instance."""
    return {
        name
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name in vars(kind)
    }


def test_every_method_of_a_stack_works_or_is_declined(stack: auto.Stack) -> None:
    """No method is left out; those that work are called in an order in which they can."""
    operations = {*CHANGING, *PREVIEWING}
    assert public_methods(auto.Stack) == operations | STACK_CALLS.keys() | STACK_DECLINES.keys()
    for call in STACK_CALLS.values():
        call(stack)
    for call in STACK_DECLINES.values():
        with pytest.raises(auto.CommandError, match="not supported by the embedded engine: "):
            call(stack)
    assert stack.up().summary.resource_changes == {"same": 3}


def test_every_method_of_a_workspace_works_or_is_declined(bench: Bench, stack: auto.Stack) -> None:
    """The ones that a stack has, too, are called through it."""
    # The Automation API itself looks for the settings only beside Pulumi.yaml.
    settings = (bench.root / "environments" / "Pulumi.dev.yaml").read_text()
    (bench.root / "Pulumi.dev.yaml").write_text(settings)
    workspace = stack.workspace
    assert isinstance(workspace, auto.LocalWorkspace)
    covered = STACK_CALLS.keys() | STACK_DECLINES.keys()
    assert public_methods(auto.LocalWorkspace) == (
        WORKSPACE_CALLS.keys()
        | WORKSPACE_DECLINES.keys()
        | {name for name in public_methods(auto.LocalWorkspace) if name in covered}
    )
    for call in WORKSPACE_CALLS.values():
        call(workspace)
    for call in WORKSPACE_DECLINES.values():
        with pytest.raises(auto.CommandError, match="not supported by the embedded engine: "):
            call(workspace)


def test_inline_program_is_declined_before_it_begins(bench: Bench) -> None:
    """InlineSourceRuntimeError cannot arise: an inline program never runs."""
    bench.program(PROGRAM)
    with pytest.raises(auto.CommandError, match="put the program into a folder") as caught:
        bench.stack().up(program=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert not isinstance(caught.value, auto.InlineSourceRuntimeError)


def test_callbacks_get_every_line_and_event(stack: auto.Stack, world: World) -> None:
    """on_output sees what stdout has, on_event begins with the prelude and ends with cancel."""
    lines: list[str] = []
    events: list[auto.EngineEvent] = []
    result = stack.up(on_output=lines.append, on_event=events.append)
    assert "\n".join(lines) == result.stdout
    assert events[0].prelude_event
    assert events[-1].cancel_event
    assert [event.sequence for event in events] == list(range(len(events)))
