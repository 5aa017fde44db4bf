"""Every service folder says what is modelled, and lists its methods truthfully."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import rehearsal.cloud
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.registry import SERVICES, all_handlers

ROOT = Path(rehearsal.cloud.__file__).parent
HEADING = "| area | modelled | not modelled |"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_in_one_table_what_is_modelled(service: str) -> None:
    """Its README has the table, once, and the overview leads to it."""
    text = (ROOT / service / "README.md").read_text(encoding="utf-8")
    assert text.count(HEADING) == 1
    assert f"({service}/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_listed_methods_are_those_that_are_modelled(tmp_path: Path) -> None:
    """No README promises a method that is not there, or hides one that is."""
    listed = {
        f"{resource}.{verb}"
        for service in SERVICES
        for resource, verbs in re.findall(
            r"^- `([\w.]+)`: (.+)$",
            (ROOT / service / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        for verb in verbs.split(", ")
    }
    cloud = LocalCloud(tmp_path)
    try:
        assert listed == set(all_handlers(cloud))
    finally:
        asyncio.run(cloud.close())
