"""The commands around the operations: stacks, configuration, history, and what is declined."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_bench import SALT, Bench
from pulumi import automation as auto

from rehearsal.engine.cli import arguments


def run(bench: Bench, *words: str) -> str:
    """Run a command line as the Automation API would and return its output."""
    return bench.engine.run(list(words), str(bench.root), bench.environ).stdout


def test_version_fits_the_automation_api(bench: Bench) -> None:
    """The version is one that streams its events."""
    assert run(bench, "version") == str(bench.engine.version)
    assert bench.workspace().pulumi_version == str(bench.engine.version)


def test_new_stack_gets_a_salt_or_keeps_the_one_it_has(bench: Bench) -> None:
    """One salt can serve an environment; without one a stack makes its own."""
    bench.stack("shared")
    file = bench.root / "environments" / "Pulumi.shared.yaml"
    assert SALT in file.read_text()
    auto.Stack.create("own", bench.workspace())
    own = (bench.root / "environments" / "Pulumi.own.yaml").read_text()
    assert own.startswith("encryptionsalt: v1:")
    assert SALT not in own


def test_stacks_are_listed_with_what_they_hold(bench: Bench) -> None:
    """A list says which stack is selected and how many resources each has."""
    bench.program('Thing("t", name="t")')
    bench.stack("one").up()
    bench.stack("two")
    listed = bench.workspace().list_stacks()
    assert [(stack.name, stack.current, stack.resource_count) for stack in listed] == [
        ("one", False, 3),
        ("two", True, None if listed[1].resource_count is None else 0),
    ]


def test_stack_with_resources_is_not_removed(bench: Bench) -> None:
    """Removal needs an empty stack or force, and takes the configuration along."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    stack.up()
    with pytest.raises(auto.CommandError, match="still has resources"):
        stack.workspace.remove_stack("dev")
    stack.workspace.remove_stack("dev", force=True)
    assert not (bench.root / "environments" / "Pulumi.dev.yaml").exists()
    assert bench.checkpoint_file().with_name("dev.json.bak").exists()


def test_configuration_goes_there_and_back(bench: Bench) -> None:
    """Values, secrets, objects and paths are set, read and removed."""
    stack = bench.stack()
    stack.set_all_config(
        {
            "plain": auto.ConfigValue("text with = and: signs"),
            "other:key": auto.ConfigValue("true"),
            "secret": auto.ConfigValue("s3cret", secret=True),
        }
    )
    stack.set_config("deep.list[0]", auto.ConfigValue("7"), path=True)
    stack.set_config("deep.flag", auto.ConfigValue("true"), path=True)
    found = stack.get_all_config()
    assert found["demo:plain"].value == "text with = and: signs"
    assert found["other:key"].value == "true"
    assert (found["demo:secret"].value, found["demo:secret"].secret) == ("s3cret", True)
    assert json.loads(found["demo:deep"].value) == {"flag": True, "list": [7]}
    assert stack.get_config("deep.list[0]", path=True).value == "7"
    assert "s3cret" not in (bench.root / "environments" / "Pulumi.dev.yaml").read_text()
    stack.remove_config("deep.flag", path=True)
    stack.remove_all_config(["plain", "other:key"])
    assert set(stack.get_all_config()) == {"demo:secret", "demo:deep"}
    with pytest.raises(auto.CommandError, match="configuration key 'plain' not found"):
        stack.get_config("plain")


def test_objects_are_set_as_json(bench: Bench) -> None:
    """`set-all --json` stores objects as objects, as programs read them."""
    stack = bench.stack()
    values = {"contexts": {"objectValue": {"a": ["b"]}}, "n": {"value": "1", "secret": False}}
    run(bench, "config", "set-all", "--stack", "dev", "--json", json.dumps(values))
    bench.program('pulumi.export("contexts", config.require_object("contexts"))')
    assert stack.up().outputs["contexts"].value == {"a": ["b"]}


def test_unknown_keys_of_the_stack_file_survive(bench: Bench) -> None:
    """Changing a value keeps what this engine does not know."""
    file = bench.root / "environments" / "Pulumi.dev.yaml"
    file.write_text(f"encryptionsalt: {SALT}\nenvironment: [base]\nconfig:\n  a: 1\n")
    stack = bench.stack()
    stack.set_config("b", auto.ConfigValue("2"))
    assert "environment:\n- base" in file.read_text()
    assert stack.get_config("a").value == "1"


def test_project_defaults_reach_the_program(bench: Bench) -> None:
    """Configuration declared in the project file has defaults and may be required."""
    file = bench.root / "Pulumi.yaml"
    declared = "config:\n  size: {type: integer, default: 3}\n  must: {type: string}\n"
    file.write_text(file.read_text() + declared)
    bench.program('pulumi.export("size", config.require_int("size"))')
    stack = bench.stack()
    with pytest.raises(
        auto.CommandError, match="Stack 'dev' is missing configuration value 'must'"
    ):
        stack.up()
    stack.set_config("must", auto.ConfigValue("x"))
    assert stack.up().outputs["size"].value == 3


def test_history_is_paged_newest_first(bench: Bench) -> None:
    """Each operation leaves an entry with its message and configuration."""
    bench.program("")
    stack = bench.stack()
    stack.set_config("token", auto.ConfigValue("s3cret", secret=True))
    for number in range(3):
        stack.up(message=f"number {number}")
    assert [entry.message for entry in stack.history()] == ["number 2", "number 1", "number 0"]
    assert [entry.message for entry in stack.history(page_size=1, page=2)] == ["number 1"]
    shown = stack.history(page_size=1, page=1, show_secrets=True)[0]
    assert shown.config["demo:token"].value == "s3cret"
    hidden = run(bench, "stack", "history", "--json", "--stack", "dev")
    assert "s3cret" not in hidden


def test_export_comes_back_by_import(bench: Bench) -> None:
    """A deployment goes out with its secrets in the clear and comes back encrypted."""
    bench.program('Thing("t", name="t", token=config.require_secret("token"))')
    stack = bench.stack()
    stack.set_config("token", auto.ConfigValue("s3cret", secret=True))
    stack.up()
    exported = stack.export_stack()
    assert "s3cret" in json.dumps(exported.deployment)
    stack.import_stack(exported)
    assert "s3cret" not in bench.checkpoint_file().read_text()
    assert stack.up().summary.resource_changes == {"same": 2}
    # As with the real engine an import is no update: it has no history.
    assert {entry.kind for entry in stack.history()} == {"update"}


def test_foreign_export_is_not_imported(bench: Bench) -> None:
    """Another stack's deployment needs force."""
    bench.program('Thing("t", name="t")')
    first = bench.stack("first")
    first.up()
    with pytest.raises(auto.CommandError, match="is from a different stack"):
        bench.stack("second").import_stack(first.export_stack())


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (["stack", "tag", "ls", "--json"], "a real `pulumi` does it, on the same state"),
        (["stack", "rename", "y"], "create a stack of the new name"),
        (["new", "--yes", "--dir", "x"], "copy the folder of a project"),
        (["state", "unprotect", "x"], "take the option `protect` from the resource"),
        (["import", "--file", "x", "--protect=true"], "the option `import_`"),
        (["config", "env", "add", "x"], "edit the stack's configuration file"),
        (["plugin", "install", "resource", "gcp"], "there is nothing to install"),
        (["login"], "set PULUMI_BACKEND_URL"),
        (["up", "--yes", "--client=127.0.0.1:1"], "put the program into a folder"),
        (["up", "--yes", "--policy-pack", "x"], "check the steps that `preview --json` prints"),
        (["refresh", "--yes", "--run-program"], "go by the state"),
        (["destroy", "--yes", "--remove"], "run `stack rm`"),
        (["up", "--yes", "--frobnicate"], "`--frobnicate` is not supported"),
        (["stack", "init", "x", "--secrets-provider", "gcpkms://x"], "PULUMI_CONFIG_PASSPHRASE"),
    ],
)
def test_what_is_not_covered_is_declined(bench: Bench, words: list[str], instead: str) -> None:
    """Everything else is refused with exit code 2, and with what to do instead."""
    bench.stack()
    with pytest.raises(auto.CommandError, match="not supported by the embedded engine") as caught:
        run(bench, *words, "--stack", "dev")
    assert "code: 2" in str(caught.value)
    assert instead in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda stack: stack.rename("other"),
        lambda stack: stack.workspace.list_tags("dev"),
        lambda stack: stack.workspace.set_tag("dev", "a", "b"),
        lambda stack: stack.add_environments("base"),
        lambda stack: stack.workspace.list_environments("dev"),
        lambda stack: stack.import_resources(resources=[]),
        lambda stack: stack.workspace.install_plugin("gcp", "v10.2.0"),
        lambda stack: stack.workspace.remove_plugin("gcp"),
        lambda stack: stack.destroy(run_program=True),
        lambda stack: stack.up(program=lambda: None),
        lambda stack: stack.preview(policy_packs=["packs"]),
    ],
)
def test_methods_that_are_not_covered_raise_a_command_error(
    bench: Bench, call: Callable[[auto.Stack], object]
) -> None:
    """Whoever calls them through the Automation API learns so, and nothing changes."""
    bench.program('Thing("t", name="t")')
    stack = bench.stack()
    before = bench.checkpoint_file().read_text()
    with pytest.raises(auto.CommandError, match="not supported by the embedded engine: "):
        call(stack)
    assert bench.checkpoint_file().read_text() == before


def test_configuration_given_with_an_operation_is_saved_first(bench: Bench) -> None:
    """`up -c key=value` sets the value as `config set` does, `--config-path` a part of one."""
    bench.stack()
    bench.program('pulumi.export("size", config.require_int("size"))')
    run(bench, "up", "--yes", "-s", "dev", "-c", "size=3")
    assert bench.resources()["demo-dev"]["outputs"] == {"size": 3}
    run(bench, "preview", "-s", "dev", "--config-path", "-c", "deep.er=4")
    assert run(bench, "config", "get", "--path", "deep.er", "-s", "dev") == "4"
    with pytest.raises(auto.CommandError, match="could not parse size as `key=value`"):
        run(bench, "up", "--yes", "-s", "dev", "-c", "size")


def test_update_needs_consent_without_a_terminal(bench: Bench) -> None:
    """Without --yes nothing is touched."""
    bench.stack()
    with pytest.raises(auto.CommandError, match="must be passed in to proceed"):
        run(bench, "up", "--stack", "dev")


def test_events_go_to_a_file_as_well(bench: Bench, tmp_path: Path) -> None:
    """The older form of the event log is a file with one event a line."""
    bench.program('Thing("t", name="t")')
    bench.stack()
    log = tmp_path / "events.log"
    run(bench, "up", "--yes", "--stack", "dev", "--event-log", str(log))
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["sequence"] for event in events] == list(range(len(events)))
    assert "preludeEvent" in events[0]
    assert "cancelEvent" in events[-1]


def test_json_preview_is_one_document(bench: Bench) -> None:
    """`preview --json` prints its steps and their sum, and nothing else."""
    bench.program('Thing("t", name="t")')
    bench.stack()
    document = json.loads(run(bench, "preview", "--json", "--stack", "dev"))
    assert document["changeSummary"] == {"create": 2}
    assert [step["op"] for step in document["steps"]] == ["create", "create"]


def test_output_reaches_the_caller_line_by_line(bench: Bench) -> None:
    """Callbacks see the lines that the result has, in the caller's thread."""
    bench.program('Thing("t", name="t")')
    lines: list[str] = []
    result = bench.stack().up(on_output=lines.append)
    assert "\n".join(lines) == result.stdout
    assert lines[0] == "Updating (dev):"
    assert "    + 2 created" in lines


def test_module_is_a_command_line(bench: Bench) -> None:
    """The engine works from a shell, with the exit codes of the real one."""
    bench.program('pulumi.export("a", 1)')
    script = (
        "import sys, types;"
        "fake = types.ModuleType('rehearsal.providers'); fake.PROVIDERS = {};"
        "sys.modules['rehearsal.providers'] = fake;"
        "from rehearsal.engine.__main__ import main;"
        "raise SystemExit(main())"
    )

    def shell(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=bench.root,
            env={**bench.environ, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    bench.stack()
    done = shell("up", "--yes", "-s", "dev")
    assert done.returncode == 0, done.stderr
    assert "+ 1 created" in done.stdout
    missing = shell("up", "--yes", "-s", "nowhere")
    assert missing.returncode == 6
    assert missing.stderr == "error: no stack named 'nowhere' found\n"


def test_flags_stand_anywhere() -> None:
    """Flags come before, between and behind words, with a space or an equals sign."""
    parsed = arguments.parse(
        ["--non-interactive", "up", "--target", "a", "-s", "dev", "--refresh", "--target=b"]
    )
    assert parsed.command == ("up",)
    assert parsed.all("target") == ("a", "b")
    assert parsed.get("stack") == "dev"
    assert parsed.get("refresh") == "true"
    assert arguments.parse(["config", "set", "k", "--", "--yes"]).operands == ["k", "--yes"]
    pairs = arguments.parse(["config", "set-all", "--secret", "a=b", "--plaintext", "c=d"])
    assert (pairs.all("secret"), pairs.all("plaintext")) == (("a=b",), ("c=d",))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cancel", "nowhere", "--yes"], 6, "no stack named 'nowhere' found"),
        (["stack", "output", "-s", "nowhere"], 6, "no stack named 'nowhere' found"),
        (["stack", "init", "organization/other/x"], 1, "'other' doesn't match Pulumi.yaml"),
        (["stack", "init", "acme/x"], 1, "organization name must be 'organization'"),
        (["stack", "init", "no name"], 1, "is no stack name"),
        (["stack", "import", "-s", "dev", "--file", "nowhere.json"], 1, "nowhere.json"),
        (["config", "set-all", "-s", "dev", "--json", '{"k": 1}'], 2, "--json takes an object"),
        (["config", "set", "a", "-s", "dev"], 2, "accepts 2 arg(s), received 1"),
        (["up", "--yes", "-s", "dev", "--parallel", "many"], 2, 'invalid argument "many"'),
        (["up", "--yes", "-s", "dev", "--event-log", "/dev/null/x"], 1, "/dev/null/x"),
        (["up", "--yes", "-s", "dev", "-C", "nowhere"], 1, "no project"),
        (["up", "--yes", "-s"], 2, "flag needs an argument: --stack"),
        (["stack", "history", "-s", "dev", "--page", "x"], 2, 'invalid argument "x"'),
    ],
)
def test_bad_calls_get_one_line_and_a_code(
    bench: Bench, words: list[str], code: int, said: str
) -> None:
    """What is wrong is said on standard error, and nothing is printed or done."""
    bench.stack()
    if said == "no project":
        (bench.root / "Pulumi.yaml").unlink()
        said = "no Pulumi.yaml project file found"
    result = bench.engine.execute(words, bench.root, {**os.environ, **bench.environ})
    assert result.code == code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert "\n" not in result.stderr


@pytest.mark.parametrize("words", [["--help"], [], ["up", "-h"], ["stack", "init", "--help"]])
def test_help_names_commands_and_flags(bench: Bench, words: list[str]) -> None:
    """Whoever asks learns what there is; the SDK learns that there is no `--remote`."""
    text = run(bench, *words)
    assert "stack export" in text
    assert "--target-dependents" in text
    assert "--remote" not in text
    assert "--policy-pack" not in text


def test_export_goes_to_a_file(bench: Bench) -> None:
    """`--file` writes what is printed without it."""
    stack = bench.stack()
    printed = run(bench, "stack", "export", "--stack", stack.name)
    assert run(bench, "stack", "export", "--stack", stack.name, "--file", "out.json") == ""
    assert json.loads((bench.root / "out.json").read_text()) == json.loads(printed)


@pytest.mark.parametrize(
    "resource",
    [
        {"urn": 3},
        {"urn": "urn:pulumi:dev::demo::a:b:C::d", "type": [], "custom": True},
        {"urn": "urn:pulumi:dev::demo::a:b:C::d", "type": "a:b:C", "custom": "yes"},
        {"urn": "urn:pulumi:dev::demo::a:b:C::d", "type": "a:b:C", "inputs": [1]},
        {"urn": "urn:pulumi:dev::demo::a:b:C::d", "type": "a:b:C", "dependencies": "x"},
        {"urn": "urn:pulumi:dev::demo::a:b:C::d", "type": "a:b:C", "propertyDependencies": 1},
    ],
)
def test_export_that_was_damaged_by_hand_is_told(bench: Bench, resource: object) -> None:
    """A value of the wrong type is named, and the state stays as it was."""
    bench.stack()
    before = bench.checkpoint_file().read_text()
    file = bench.root / "state.json"
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": [resource]}}))
    with pytest.raises(auto.CommandError, match="is not what it must be") as caught:
        run(bench, "stack", "import", "-s", "dev", "--file", str(file), "--force")
    assert "internal error" not in str(caught.value)
    assert bench.checkpoint_file().read_text() == before
