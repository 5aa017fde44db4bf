"""The deployer that uses stacks: `images`, `director` and `services.<dataflow>`."""

from __future__ import annotations

from collections.abc import Mapping

from architecture.names import stack_name
from orchestration.automation.results import Json, OnStackEvent, StackResult
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.state import DirectorOutcome, ServicesOutcome, StackOutcome
from orchestration.deployment.deployer import BuildReport
from orchestration.errors import PhaseFailed, StackFailed


class StackDeployer:
    """Builds and deploys by bringing stacks up."""

    def __init__(
        self,
        operations: StackOperations,
        environment: str,
        *,
        refresh: bool,
        on_event: OnStackEvent,
    ) -> None:
        self._operations = operations
        self._environment = environment
        self._refresh = refresh
        self._on_event = on_event

    def build(self, services: tuple[str, ...]) -> BuildReport:
        """Bring `images` up, going on past images that fail.

        Raises:
            StackFailed: the stack failed for a reason that no image explains.
        """
        stack = stack_name(self._environment, "images")
        try:
            result = self._up(stack, continue_on_error=True)
        except StackFailed as error:
            failures = {name: error.failures[name] for name in services if name in error.failures}
            if not failures:
                raise
            kept = self._operations.outputs(stack) or {}
            return BuildReport(
                images=_texts(kept.get("images"), without=frozenset(failures)),
                failures=failures,
                stack=StackOutcome(stack=stack, changes={}, duration_s=0.0),
            )
        return BuildReport(_texts(result.outputs.get("images")), {}, _outcome(result))

    def deploy_director(self) -> DirectorOutcome:
        """Bring `director` up."""
        result = self._up(stack_name(self._environment, "director"))
        url = result.outputs.get("directorUrl")
        if not isinstance(url, str) or not url:
            raise PhaseFailed(f"stack {result.stack} gave no directorUrl")
        image = str(result.outputs.get("image", ""))
        return DirectorOutcome(
            url=url,
            image=image,
            topics=tuple(_texts(result.outputs.get("topics"))),
            subscriptions=tuple(_texts(result.outputs.get("subscriptions"))),
            stack=_outcome(result),
        )

    def deploy(self, dataflow: str) -> ServicesOutcome:
        """Bring `services.<dataflow>` up, going on past services that fail."""
        stack = stack_name(self._environment, "services", dataflow)
        result = self._up(stack, continue_on_error=True)
        return ServicesOutcome(
            dataflow=dataflow, urls=_texts(result.outputs.get("urls")), stack=_outcome(result)
        )

    def _up(self, stack: str, *, continue_on_error: bool = False) -> StackResult:
        return self._operations.up(
            stack,
            refresh=self._refresh,
            continue_on_error=continue_on_error,
            on_event=self._on_event,
        )


def _outcome(result: StackResult) -> StackOutcome:
    return StackOutcome(
        stack=result.stack, changes=result.changes, duration_s=round(result.duration_s, 3)
    )


def _texts(value: Json, without: frozenset[str] = frozenset()) -> Mapping[str, str]:
    """Read a map of texts from a stack's output."""
    if not isinstance(value, dict):
        return {}
    return {
        name: text for name, text in value.items() if isinstance(text, str) and name not in without
    }
