"""The recommendations of one request in winner order: the strongest has the place 0.

Everything after works on places, so nothing depends on the order in which they were sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.coordination.model import Recommendation
from orchestration.coordination.ranking import strength
from orchestration.coordination.schedule import Window


@dataclass(frozen=True, slots=True)
class Lineup:
    """Recommendations by place; `dependencies` are places too."""

    items: tuple[Recommendation, ...]
    windows: Mapping[int, Window]
    dependencies: Mapping[int, tuple[int, ...]]

    @classmethod
    def of(cls, items: Sequence[Recommendation], windows: Mapping[str, Window]) -> Lineup:
        """Order the recommendations; dependencies on others than these are left out."""
        ordered = tuple(sorted(items, key=strength))
        places = {item.id: place for place, item in enumerate(ordered)}
        return cls(
            items=ordered,
            windows={places[id_]: window for id_, window in windows.items()},
            dependencies={
                place: tuple(sorted({places[d] for d in item.dependencies if d in places}))
                for place, item in enumerate(ordered)
                if item.dependencies
            },
        )
