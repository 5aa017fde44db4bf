"""The rules as a pack for the real `pulumi`, where its library is installed."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from policies.checking import RULES

policy = pytest.importorskip(
    "pulumi_policy",
    reason="pulumi-policy has an environment of its own: it asks for another protobuf",
)
PACK = Path(__file__).parents[2] / "policies" / "pack" / "__main__.py"


def test_the_pack_has_every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its name, denied ones as mandatory."""
    packs: list[dict[str, Any]] = []
    monkeypatch.setattr(policy, "PolicyPack", lambda **words: packs.append(words))
    runpy.run_path(str(PACK))
    (pack,) = packs
    assert [one.name for one in pack["policies"]] == [rule.name for rule in RULES]
