"""Files of the state folder: what is kept of them, in which forms, and what can go wrong."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

from rehearsal.engine.backend import locks
from rehearsal.engine.errors import CommandFailedError

PROGRAM = 'Thing("t", name="t", token=pulumi.Output.secret("s3cret"), size=SIZE)'
HOLDER = {"pid": 7, "username": "u", "hostname": "h", "timestamp": "2026-01-01T00:00:00.25Z"}


def brought_up(bench: Bench) -> auto.Stack:
    """Bring one thing up."""
    bench.program(PROGRAM.replace("SIZE", "1"))
    stack = bench.stack()
    stack.up()
    return stack


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file."""
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def mark(document: dict[str, Any]) -> None:
    """Put a key that nobody knows at every level of a checkpoint."""
    document["xFile"] = 1
    document["checkpoint"]["xCheckpoint"] = 2
    latest = document["checkpoint"]["latest"]
    latest["xLatest"] = {"a": [1]}
    latest["manifest"]["xManifest"] = 3
    latest["manifest"]["plugins"] = [{"name": "fake", "path": "", "type": "resource"}]
    latest["secrets_providers"]["xProviders"] = 4
    latest["secrets_providers"]["state"]["xState"] = 5
    latest["metadata"]["xMetadata"] = 6
    for item in latest["resources"]:
        item["xResource"] = {"deep": [None]}


def assert_marked(document: dict[str, Any]) -> None:
    """See that all of them are there still."""
    assert document["xFile"] == 1
    assert document["checkpoint"]["xCheckpoint"] == 2
    latest = document["checkpoint"]["latest"]
    assert latest["xLatest"] == {"a": [1]}
    assert latest["manifest"]["xManifest"] == 3
    assert latest["manifest"]["plugins"]
    assert latest["secrets_providers"]["xProviders"] == 4
    assert latest["secrets_providers"]["state"]["xState"] == 5
    assert latest["metadata"]["xMetadata"] == 6
    for item in latest.get("resources", ()):
        assert item["xResource"] == {"deep": [None]}


def test_unknown_keys_survive_every_operation(bench: Bench) -> None:
    """Whatever another engine has put anywhere into the file stays there."""
    stack = brought_up(bench)
    file = bench.checkpoint_file()
    edit(file, mark)

    def look() -> None:
        assert_marked(json.loads(file.read_text()))

    stack.up()
    look()
    bench.program(PROGRAM.replace("SIZE", "2"))
    stack.up()
    look()
    stack.refresh()
    look()
    for exported in (stack.export_stack(), sealed_export(bench)):
        stack.import_stack(exported)
        look()
    stack.set_config("a", auto.ConfigValue("b"))
    stack.up()
    look()
    stack.destroy()
    look()
    assert "resources" not in bench.latest()


def sealed_export(bench: Bench) -> auto.Deployment:
    """Export with the secrets as they are."""
    done = bench.engine.execute(["stack", "export", "-s", "dev"], bench.root, bench.full_environ)
    return auto.Deployment(**json.loads(done.stdout))


def test_unknown_keys_of_what_is_pending_survive(bench: Bench) -> None:
    """A creation in doubt is carried along as it stands."""
    stack = brought_up(bench)

    def leave(document: dict[str, Any]) -> None:
        latest = document["checkpoint"]["latest"]
        doubtful = {**latest["resources"][-1], "xResource": 1}
        doubtful["urn"] = doubtful["urn"].replace("::t", "::doubtful")
        doubtful["inputs"] = {"name": "doubtful"}
        latest["pending_operations"] = [{"resource": doubtful, "type": "creating", "xPending": 2}]

    edit(bench.checkpoint_file(), leave)
    stack.up()
    (pending,) = bench.latest()["pending_operations"]
    assert (pending["xPending"], pending["resource"]["xResource"]) == (2, 1)


def test_unknown_keys_of_other_files_survive(bench: Bench) -> None:
    """So do those of the stack's own file, of the selection, and of the folder's description."""
    stack = brought_up(bench)
    own = bench.root / "environments" / "Pulumi.dev.yaml"
    own.write_text(f"{own.read_text()}xStack:\n  a: [1]\n")
    (selection,) = (bench.root / "home" / "workspaces").iterdir()
    edit(selection, lambda document: document.update(xSelection=1))
    meta = bench.root / "state" / ".pulumi" / "meta.yaml"
    meta.write_text("version: 1\nxMeta: 2\n")
    stack.set_config("a", auto.ConfigValue("b", secret=True))
    stack.remove_config("a")
    bench.workspace().select_stack("dev")
    stack.up()
    assert "xStack:\n  a:\n  - 1\n" in own.read_text()
    assert json.loads(selection.read_text())["xSelection"] == 1
    assert "xMeta: 2" in meta.read_text()


def test_secrets_keep_their_ciphertext(bench: Bench) -> None:
    """A secret that stays as it is does not look as if it had changed, through all commands."""
    stack = brought_up(bench)
    sealed = bench.resources()["t"]["inputs"]["token"]
    bench.program(PROGRAM.replace("SIZE", "2"))
    for operation in (stack.up, stack.refresh, stack.up):
        operation()
        assert bench.resources()["t"]["inputs"]["token"] == sealed


def test_compressed_state_is_read_and_written_plain(bench: Bench) -> None:
    """As the real engine without a switch does it; with one it is declined in words."""
    stack = brought_up(bench)
    plain = bench.checkpoint_file()
    packed = plain.with_name("dev.json.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert [summary.name for summary in stack.workspace.list_stacks()] == ["dev"]
    assert stack.up().summary.resource_changes == {"same": 2}
    assert plain.is_file()
    assert not packed.exists()
    assert packed.with_name("dev.json.gz.bak").is_file()
    bench.environ["PULUMI_SELF_MANAGED_STATE_GZIP"] = "true"
    with pytest.raises(auto.CommandError, match="compressed with gzip is not supported"):
        bench.stack().up()
    del bench.environ["PULUMI_SELF_MANAGED_STATE_GZIP"]
    packed.with_suffix(".zst").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(auto.CommandError, match="compressed with zstd"):
        bench.stack().up()


def test_checkpoints_are_retained_and_backups_left_out_on_demand(bench: Bench) -> None:
    """By the real engine's variables, old names and new."""
    bench.environ["PULUMI_RETAIN_CHECKPOINTS"] = "1"
    bench.environ["PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS"] = "true"
    stack = brought_up(bench)
    file = bench.checkpoint_file()
    retained = sorted(file.parent.glob("dev.json.*[0-9]"))
    assert len(retained) > 3
    assert retained[-1].read_text() == file.read_text()
    assert not (bench.root / "state" / ".pulumi" / "backups").exists()
    assert [summary.name for summary in stack.workspace.list_stacks()] == ["dev"]


DAMAGE = {
    "truncated": (lambda text: text[: len(text) // 2], "dev.json: "),
    "empty": (lambda _text: "", "dev.json: Expecting value"),
    "garbage": (lambda _text: "\0\1nonsense", "dev.json: "),
    "a list": (lambda _text: "[]", "it is no JSON object"),
    "another version": (
        lambda text: text.replace('"version":3', '"version":9', 1),
        "unsupported checkpoint version 9",
    ),
    "a feature": (
        lambda text: text.replace('"version":3', '"version":4,"features":["views"]', 1),
        "unsupported features: views",
    ),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_damaged_state_is_named_with_its_backup(bench: Bench, damage: str) -> None:
    """One clear line: which file, what is wrong with it, what to put in its place."""
    stack = brought_up(bench)
    file = bench.checkpoint_file()
    change, said = DAMAGE[damage]
    damaged = change(file.read_text())
    file.write_text(damaged)
    for operation in (stack.preview, stack.up, stack.destroy, stack.export_stack):
        with pytest.raises(auto.CommandError) as caught:
            operation()
        lines = str(caught.value).split("stderr: ")[1].splitlines()
        assert len(lines) == 1
        assert f"failed to load checkpoint: {file}" in lines[0]
        assert said in lines[0]
        if damage not in ("another version", "a feature"):
            assert lines[0].endswith(f"its last version is {file}.bak")
    assert file.read_text() == damaged


def test_legacy_layout_is_refused(bench: Bench) -> None:
    """A folder of the first layout is not mixed with the present one."""
    bench.program("")
    folder = bench.root / "state" / ".pulumi" / "stacks"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text('{"version":3}')
    with pytest.raises(auto.CommandError, match="legacy layout: run `pulumi state upgrade`"):
        bench.stack()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["stacks"]


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine_bench import Bench, shared_launcher
from fake_provider import World
bench = Bench(Path(sys.argv[2]), World(), shared_launcher())
bench.stack()
size = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
done = bench.engine.execute(["up", "--yes", "--stack", "dev"], bench.root, bench.full_environ)
print(done.stdout)
print(done.stderr, file=sys.stderr)
sys.exit(done.code)
"""


def test_full_disk_keeps_the_old_state_and_says_so(bench: Bench) -> None:
    """In the middle of an update: one line, no half file, what was there is as it was."""
    bench.program(f'Thing("small", name="small")\nThing("big", name="{"x" * 50_000}")')
    bench.stack()
    before = bench.checkpoint_file().read_text()
    command = [sys.executable, "-c", FULL_DISK, str(Path(__file__).parent), str(bench.root)]
    done = subprocess.run([*command, "40000"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    told = [line for line in done.stdout.splitlines() if "File too large" in line]
    assert any(
        f"step event returned an error: failed to save snapshot: {bench.checkpoint_file()}" in line
        for line in told
    )
    left = json.loads(bench.checkpoint_file().read_text())
    assert len(json.dumps(left)) >= len(before) - 200
    assert not list((bench.root / "state").rglob("*.tmp"))
    assert not list((bench.root / "state" / ".pulumi" / "locks").rglob("*.json"))
    # With room again, it is made.
    assert subprocess.run([*command, "4000000"], check=False).returncode == 0
    assert {"small", "big"} <= set(bench.resources())


def test_folder_that_cannot_be_written_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that has to write there fails in one line; one that reads works."""
    stack = brought_up(bench)
    opening = Path.open

    def refuse(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" in mode and "state" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return opening(self, mode, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with pytest.raises(auto.CommandError) as caught:
            stack.up()
        lines = str(caught.value).split("stderr: ")[1].splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        assert lines[0].endswith("Permission denied")
        assert stack.export_stack().deployment["resources"]
        stack.preview()


def test_lock_is_written_as_the_real_engine_writes_it(tmp_path: Path) -> None:
    """One file per holder, with who it is; gone when it is over."""
    folder = tmp_path / "locks"
    with locks.held(folder):
        (file,) = folder.iterdir()
        content = json.loads(file.read_text())
        assert list(content) == ["pid", "username", "hostname", "timestamp"]
        assert content["pid"] == os.getpid()
        with (
            pytest.raises(CommandFailedError, match="currently locked by 1 lock"),
            locks.held(folder),
        ):
            pass
        assert list(folder.iterdir()) == [file]
    assert list(folder.iterdir()) == []


def test_foreign_lock_is_described_and_stays(bench: Bench) -> None:
    """Whoever holds it, however old it is: only `cancel` takes it away."""
    stack = brought_up(bench)
    folder = bench.root / "state" / ".pulumi" / "locks" / "organization" / "demo" / "dev"
    (folder / "other.json").write_text(json.dumps(HOLDER))
    (folder / "broken.json").write_text("{")
    for operation in (stack.up, stack.refresh, stack.destroy):
        with pytest.raises(auto.ConcurrentUpdateError) as caught:
            operation()
        text = str(caught.value)
        assert "the stack is currently locked by 2 lock(s). Either wait for the other" in text
        assert "/other.json: created by u@h (pid 7) at 2026-01-01T00:00:00Z" in text
        assert "/broken.json: unreadable" in text
    assert len(list(folder.iterdir())) == 2
    stack.cancel()
    stack.cancel()
    stack.up()


def test_only_one_of_many_racing_for_a_lock_gets_it(tmp_path: Path) -> None:
    """Two that see each other both give way; never do two hold it."""
    folder = tmp_path / "locks"
    holding, most, got = 0, 0, 0
    guard = threading.Lock()
    start = threading.Barrier(8)

    def race() -> None:
        nonlocal holding, most, got
        start.wait()
        for _ in range(20):
            try:
                with locks.held(folder):
                    with guard:
                        holding += 1
                        got += 1
                        most = max(most, holding)
                    with guard:
                        holding -= 1
            except CommandFailedError:
                continue

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert got
    assert list(folder.iterdir()) == []


def test_history_and_backups_have_the_real_layout(bench: Bench, world: World) -> None:
    """An entry, its copy of the checkpoint and a backup per operation, failed ones included."""
    stack = brought_up(bench)
    bench.program('Thing("bad", name="bad", fail="create")')
    with pytest.raises(auto.CommandError):
        stack.up()
    assert world.things
    folder = bench.root / "state" / ".pulumi"
    names = sorted(path.name for path in (folder / "history" / "demo" / "dev").iterdir())
    assert len(names) == 4
    assert all(name.startswith("dev-") for name in names)
    entries = [name for name in names if name.endswith(".history.json")]
    assert len(list((folder / "backups" / "demo" / "dev").glob("dev.*.json"))) == 2
    first, second = (
        json.loads((folder / "history" / "demo" / "dev" / name).read_text()) for name in entries
    )
    assert (first["result"], second["result"]) == ("succeeded", "failed")
    assert list(first) == [
        *("kind", "startTime", "message", "environment", "config", "version", "result"),
        *("endTime", "resourceChanges"),
    ]
    copy = folder / "history" / "demo" / "dev" / entries[1].replace(".history", ".checkpoint")
    assert copy.read_text() == bench.checkpoint_file().read_text()
