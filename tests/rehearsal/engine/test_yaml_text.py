"""A stack's configuration file is changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from pulumi import automation as auto

from rehearsal.engine.configuration.yaml_text import rewritten

if TYPE_CHECKING:
    from engine_bench import Bench

_BY_HAND = """\
# Production: ask before you change it.
config:
  # Where it runs.
  gcp:region: europe-west1
  demo:flag: yes
  # Who may call.
  demo:callers:
    first: ada # since May
    second: bob
"""
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_NAMES = st.text(min_size=1, max_size=6)
_DOCUMENTS = st.dictionaries(
    _NAMES,
    st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def test_comments_stay_where_a_value_changes() -> None:
    """What is set anew, beside it and inside it, takes no comment away."""
    document = yaml.safe_load(_BY_HAND)
    document["config"]["gcp:region"] = "yes"
    document["config"]["demo:callers"]["second"] = "eve"
    document["config"]["demo:more"] = [1, "2"]
    text = rewritten(_BY_HAND, document)
    assert yaml.safe_load(text) == document
    assert text == (
        _BY_HAND.replace("europe-west1", "'yes'").replace("bob", "eve")
        + "  demo:more:\n  - 1\n  - '2'\n"
    )


def test_comments_stay_through_commands(bench: Bench) -> None:
    """The Automation API's set, set-all and remove change what they name and nothing else."""
    stack = bench.stack()
    file = bench.root / "environments" / "Pulumi.dev.yaml"
    before = file.read_text()
    file.write_text(f"# Ask first.\n{before}config:\n  # The size.\n  demo:size: small\n")
    stack.set_config("size", auto.ConfigValue("large"))
    stack.set_all_config({"other": auto.ConfigValue("1")})
    stack.remove_config("other")
    stack.set_config("token", auto.ConfigValue("s3cret", secret=True))
    lines = file.read_text().splitlines()
    assert lines[0] == "# Ask first."
    assert lines[lines.index("  # The size.") + 1] == "  demo:size: large"
    assert stack.get_config("token").value == "s3cret"


@given(old=_DOCUMENTS, new=_DOCUMENTS)
def test_whatever_stood_there_the_new_text_reads_as_the_new_document(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Comments are never worth another value."""
    text = "# A comment.\n" + yaml.safe_dump(old, sort_keys=False, allow_unicode=True)
    after = yaml.safe_load(rewritten(text, new))
    assert yaml.safe_dump(after) == yaml.safe_dump(new)


@given(document=_DOCUMENTS.filter(bool))
def test_an_unchanged_document_keeps_its_first_comment(document: dict[str, Any]) -> None:
    """Saving what was loaded loses nothing."""
    text = "# A comment.\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    assert rewritten(text, yaml.safe_load(text)).startswith("# A comment.\n")
