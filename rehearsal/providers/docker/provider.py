"""The docker provider: `Image`, built from a context and pushed to the local registry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rehearsal.docker_engine import DockerError, socket_path
from rehearsal.engine.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    Properties,
    ProviderError,
    ReadResult,
    Value,
)
from rehearsal.providers.checking import check_inputs
from rehearsal.providers.comparing import Comparison, compare
from rehearsal.providers.docker.builders import AssemblingBuilder, BuildPlan, ImageBuilder
from rehearsal.providers.docker.contexts import BuildError, read_context
from rehearsal.providers.docker.daemon import DaemonBuilder
from rehearsal.providers.docker.registry import Registry, parse_reference
from rehearsal.providers.limits import matching, one_of
from rehearsal.providers.properties import (
    has_unknown,
    mapping,
    optional_text,
    plain,
)
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.schema import block, flag, text, text_map, texts

IMAGE: Final = "docker:index/image:Image"
_DIGEST: Final = "contextDigest"
# The official provider's setting for the daemon; without it there is none here.
_HOST: Final = "host"
_TOKEN_VARIABLE: Final = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105 - a variable's name, no secret.
_TOKEN_USER: Final = "oauth2accesstoken"  # noqa: S105 - the user that Google's registries expect.


def _name_problem(value: Value) -> str | None:
    try:
        parse_reference(value if isinstance(value, str) else "")
    except ProviderError as error:
        return f"is wrong: {error}"
    return None


_BUILD: Final = block(
    "build",
    text("context").required(),
    text("dockerfile").defaulting("Dockerfile"),
    text("platform")
    .defaulting("linux/amd64")
    .checked(matching(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?", "a platform looks like linux/amd64")),
    text_map("args"),
    text("target"),
    text("network"),
    text("builderVersion").checked(one_of("BuilderV1", "BuilderBuildKit")),
    texts("addHosts"),
    block("cacheFrom", texts("images")),
    text(_DIGEST),
)
# A change of credentials needs no new image.
_CREDENTIAL: Final = ("username", "password")
_REGISTRY: Final = block("registry", text("server"), *(text(name) for name in _CREDENTIAL))
FIELDS: Final = (
    text("imageName").required().checked(_name_problem),
    _BUILD.required(),
    _REGISTRY,
    flag("skipPush"),
    flag("buildOnPreview"),
)
_COMPARED: Final = (text("imageName"), _BUILD, block("registry", text("server")), flag("skipPush"))


class DockerProvider:
    """The resource types of the `docker` package."""

    def __init__(self, builder: ImageBuilder | None = None) -> None:
        self._builder = builder or AssemblingBuilder()
        self._token = ""

    async def check_config(self, inputs: Properties) -> CheckResult:
        """Refuse a daemon that cannot be reached by a unix socket; accept anything else."""
        host = optional_text(plain(inputs), _HOST)
        try:
            if host:
                socket_path(host)
        except DockerError as error:
            return CheckResult(inputs, (CheckFailure(str(error), _HOST),))
        return CheckResult(inputs)

    async def configure(self, inputs: Properties, environ: Mapping[str, str]) -> None:
        """Take the daemon, if one is named, and the token for registries without credentials."""
        host = optional_text(plain(inputs), _HOST)
        if host:
            self._builder = DaemonBuilder(host)
        self._token = environ.get(_TOKEN_VARIABLE, "")

    async def check(
        self, *, urn: str, type_: str, olds: Properties | None, news: Properties
    ) -> CheckResult:
        """Validate inputs, and record the digest of the context so that a diff sees sources."""
        del urn, olds
        _require_image(type_)
        inputs, failures = check_inputs(FIELDS, news)
        if failures:
            return CheckResult(inputs, failures)
        build = mapping(inputs.get("build"))
        context = build.get("context")
        if isinstance(context, str):
            if not Path(context).is_absolute():
                reason = f"'build.context' must be an absolute path, got {context!r}"
                return CheckResult(inputs, (CheckFailure(reason, "build.context"),))
            digest = await asyncio.to_thread(self._stamp, Path(context))
            inputs["build"] = {**build, **({_DIGEST: digest} if digest else {})}
        return CheckResult(inputs)

    async def diff(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str] = (),
    ) -> DiffResult:
        """Compare inputs: an image is what was asked for."""
        del urn, id, old_outputs
        _require_image(type_)
        found = Comparison()
        compare(_COMPARED, plain(old_inputs), plain(news), found)
        return found.result(ignore_changes)

    async def create(
        self,
        *,
        urn: str,
        type_: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> CreateResult:
        """Build and push; in a preview, only find out the digest."""
        del urn, timeout
        _require_image(type_)
        values = plain(inputs)
        outputs = await self._make(values, is_preview=preview)
        return CreateResult("" if preview else known_text(values, "imageName"), outputs)

    async def read(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        outputs: Properties,
        inputs: Properties,
    ) -> ReadResult | None:
        """Ask the registry whether it still has the image."""
        del urn
        _require_image(type_)
        if not outputs:
            raise ProviderError(f"the image {id!r} cannot be imported: build it instead")
        values = plain(inputs)
        _, _, digest = optional_text(outputs, "repoDigest").partition("@")
        if digest and values.get("skipPush") is not True:
            reference = parse_reference(known_text(values, "imageName"))
            if not await self._registry(values).has(reference, digest):
                return None
        return ReadResult(id, outputs, inputs)

    async def update(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        timeout: float,
        preview: bool,
    ) -> Properties:
        """Build and push again."""
        del urn, id, old_outputs, old_inputs, timeout
        _require_image(type_)
        return await self._make(plain(news), is_preview=preview)

    async def delete(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002 - the protocol's name of it.
        outputs: Properties,
        inputs: Properties,
        timeout: float,
    ) -> None:
        """Forget the image: like the official provider, nothing is removed from the registry."""
        del urn, type_, id, outputs, inputs, timeout

    async def invoke(self, token: str, args: Properties) -> Properties:
        """Refuse: there are no data functions without a daemon."""
        del args
        raise ProviderError(f"the embedded docker provider has no function {token}")

    async def close(self) -> None:
        """Do nothing: connections end with each push."""

    async def _make(self, values: Properties, *, is_preview: bool) -> Properties:
        build = mapping(values.get("build"))
        name = values.get("imageName")
        outputs: Properties = {
            "baseImageName": name,
            "context": build.get("context"),
            "dockerfile": build.get("dockerfile"),
            "imageName": name,
            "platform": build.get("platform"),
            "registryServer": _server(values),
            "repoDigest": UNKNOWN,
        }
        context = optional_text(build, "context")
        if is_preview and (has_unknown(name) or not await asyncio.to_thread(Path(context).is_dir)):
            # A context may be generated only after the preview.
            return outputs
        plan = _plan(values)
        try:
            if is_preview:
                digest = await self._builder.foresee(plan)
            else:
                digest = await self._builder.publish(
                    plan, self._registry(values), is_pushed=values.get("skipPush") is not True
                )
        except (BuildError, ProviderError) as error:
            raise ProviderError(f"image {name}: {error}") from error
        if digest:
            outputs["repoDigest"] = f"{plan.reference.repository}@{digest}"
        return outputs

    def _registry(self, values: Properties) -> Registry:
        given = mapping(values.get("registry"))
        username, password = (optional_text(given, key) for key in _CREDENTIAL)
        if not password and self._token:
            username, password = _TOKEN_USER, self._token
        host = parse_reference(known_text(values, "imageName")).host
        return Registry(host, username, password)

    def _stamp(self, context: Path) -> str:
        """Return what tells one build of a context from another, empty without a context (yet)."""
        try:
            return self._builder.stamp(read_context(context))
        except BuildError:
            return ""


def _plan(values: Properties) -> BuildPlan:
    build = mapping(values.get("build"))
    return BuildPlan(
        reference=parse_reference(known_text(values, "imageName")),
        context=Path(optional_text(build, "context")),
        dockerfile=optional_text(build, "dockerfile"),
        platform=optional_text(build, "platform"),
        arguments={name: str(value) for name, value in mapping(build.get("args")).items()},
        target=optional_text(build, "target"),
        network=optional_text(build, "network"),
        extra_hosts=_texts(build.get("addHosts")),
        cache_from=_texts(mapping(build.get("cacheFrom")).get("images")),
    )


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _server(values: Properties) -> Value:
    server = mapping(values.get("registry")).get("server")
    if server is not None:
        return server
    name = values.get("imageName")
    return name.partition("/")[0] if isinstance(name, str) else UNKNOWN


def _require_image(type_: str) -> None:
    if type_ != IMAGE:
        raise ProviderError(f"the embedded docker provider does not have the resource type {type_}")
