"""The labels of everything we declare."""

import pytest

from components.labels import InvalidLabelError, resource_labels
from components.tokens import Area, token


def test_our_labels_are_lower_case_and_win() -> None:
    """Google takes lower case only; nobody's own label hides who manages a resource."""
    labels = resource_labels("Dev", "Orders", {"Team": "Blue", "managed-by": "hand"})
    assert list(labels.items()) == [
        ("dataflow", "orders"),
        ("environment", "dev"),
        ("managed-by", "conductor"),
        ("team", "blue"),
    ]


@pytest.mark.parametrize(
    "own", [{"1st": "x"}, {"a.b": "x"}, {"a" * 64: "x"}, {"a": "x y"}, {"a": "x" * 64}, {"": "x"}]
)
def test_a_label_that_google_would_refuse_is_refused_here(own: dict[str, str]) -> None:
    """The message names the label before anything is declared."""
    with pytest.raises(InvalidLabelError, match="label"):
        resource_labels("dev", None, own)


def test_tokens_have_one_form() -> None:
    """A token says the package, the area and the name."""
    assert token(Area.DATAFLOW, "Topic") == "conductor:dataflow:Topic"
