"""The exact solver: yes-or-no choices under linear constraints, by HiGHS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np


@dataclass(frozen=True, slots=True)
class Found:
    """A choice, what it is worth, and whether none is worth more."""

    kept: set[int]
    value: float
    is_proved: bool


class Choice:
    """Which of some places to keep: of rivals one at most, and nothing without what it needs."""

    def __init__(
        self,
        places: Sequence[int],
        rivals: Mapping[int, Sequence[int]],
        dependencies: Mapping[int, tuple[int, ...]],
        hopeless: Collection[int],
    ) -> None:
        self._places = places
        self._columns = {place: column for column, place in enumerate(places)}
        self._upper = [0.0 if place in hopeless else 1.0 for place in places]
        # Each row: columns with their factors, and the bounds of their sum.
        self._rows: list[tuple[dict[int, float], float, float]] = []
        infinity = highspy.kHighsInf
        for place in places:
            mine = self._columns[place]
            for rival in rivals.get(place, ()):
                if rival > place:
                    self._rows.append(({mine: 1.0, self._columns[rival]: 1.0}, -infinity, 1.0))
            for needed in dependencies.get(place, ()):
                self._rows.append(({mine: 1.0, self._columns[needed]: -1.0}, -infinity, 0.0))

    def require(self, weights: Mapping[int, float], least: float) -> None:
        """Allow only choices that are worth this much from now on."""
        row = {self._columns[place]: weight for place, weight in weights.items()}
        self._rows.append((row, least, highspy.kHighsInf))

    def maximize(self, weights: Mapping[int, float], time_limit_s: float) -> Found | None:
        """Find the choice with the greatest sum of weights; None if none was found in time."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its stubs leave that out
        solver.setOptionValue("output_flag", False)  # noqa: FBT003 - the solver's way
        solver.setOptionValue("time_limit", time_limit_s)
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.setOptionValue("mip_abs_gap", 1e-9)
        solver.passModel(self._model(weights))
        solver.run()
        solution = solver.getSolution()
        if not solution.value_valid:
            return None
        values = np.asarray(solution.col_value)
        kept = {place for place, column in self._columns.items() if values[column] > 0.5}  # noqa: PLR2004 - halfway between no and yes
        return Found(
            kept=kept,
            value=sum(weights.get(place, 0.0) for place in kept),
            is_proved=solver.getModelStatus() == highspy.HighsModelStatus.kOptimal,
        )

    def _model(self, weights: Mapping[int, float]) -> highspy.HighsLp:
        count = len(self._places)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = count, len(self._rows)
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_ = np.array([weights.get(place, 0.0) for place in self._places])
        lp.col_lower_, lp.col_upper_ = np.zeros(count), np.array(self._upper)
        lp.row_lower_ = np.array([least for _, least, _ in self._rows])
        lp.row_upper_ = np.array([most for _, _, most in self._rows])
        lp.integrality_ = [highspy.HighsVarType.kInteger] * count
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        starts = np.cumsum([0, *(len(row) for row, _, _ in self._rows)])
        lp.a_matrix_.start_ = starts
        lp.a_matrix_.index_ = np.array([column for row, _, _ in self._rows for column in row])
        lp.a_matrix_.value_ = np.array([x for row, _, _ in self._rows for x in row.values()])
        return lp
