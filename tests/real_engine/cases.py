"""What is done on both engines: programs and the commands that carry them out.

They need nothing but the package `pulumi` itself (`Stash` keeps a value in the state), components
and references to other stacks, which every engine serves without a provider plugin.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """A program, if it changes, and a command line; `code` is the exit code it must have."""

    words: str
    program: str | None = None
    code: int = 0


@dataclass(frozen=True)
class Case:
    """Steps in one project, one after the other."""

    name: str
    steps: tuple[Step, ...] = field(default=())


INIT = Step("stack init dev", program="")
UP = "up --yes --skip-preview --stack dev"
PREVIEW = "preview --stack dev"
DESTROY = "destroy --yes --skip-preview --stack dev"
REFRESH = "refresh --yes --skip-preview --stack dev"


def _case(name: str, *steps: Step) -> Case:
    return Case(name, (INIT, *steps))


CASES = (
    _case(
        "create, update, delete",
        Step(
            PREVIEW, 'a = Stash("a", input=1)\nStash("b", input=a.output)\nStash("c", input="<é>")'
        ),
        Step(UP),
        Step(
            PREVIEW, 'a = Stash("a", input=2)\nStash("b", input=a.output)\nStash("d", input=[None])'
        ),
        Step(UP),
        Step(UP),
        Step(REFRESH),
        Step(PREVIEW, ""),
        Step(UP),
        Step(DESTROY),
    ),
    _case(
        "replace, the new one first",
        Step(UP, 'a = Stash("a", input=1)\nStash("b", input=a.output)'),
        Step(
            PREVIEW,
            """
            a = Stash("a", input=2, opts=Options(replace_on_changes=["input"]))
            Stash("b", input=a.output)
            """,
        ),
        Step(UP),
        Step(f"{UP} --replace urn:pulumi:dev::twins::pulumi:index:Stash::b"),
    ),
    _case(
        "replace, the old one last",
        Step(UP, 'a = Stash("a", input=1)\nStash("b", input=a.output)'),
        Step(
            PREVIEW,
            """
            options = Options(replace_on_changes=["input"], delete_before_replace=True)
            a = Stash("a", input=2, opts=options)
            Stash("b", input=a.output)
            """,
        ),
        Step(UP),
    ),
    _case(
        "secrets",
        Step(
            UP,
            """
            a = Stash("a", input=Output.secret("hidden"))
            Stash("b", input={"open": 1, "nested": [Output.secret({"x": "<é&>"})]})
            Stash("c", input="plain", opts=Options(additional_secret_outputs=["output"]))
            pulumi.export("token", a.output)
            pulumi.export("list", [Output.secret(1), 2.5])
            """,
        ),
        Step("stack output --json --stack dev"),
        Step("stack output --json --show-secrets --stack dev"),
        Step(UP),
    ),
    _case(
        "configuration",
        Step("config set plain text --stack dev"),
        Step("config set hidden s3cret --secret --stack dev"),
        Step("config set --path deep.list[0].n 7 --stack dev"),
        Step("config set other:key true --stack dev"),
        Step("config get hidden --stack dev"),
        Step("config --json --stack dev"),
        Step("config --json --show-secrets --stack dev"),
        Step(
            UP,
            """
            Stash("a", input=config.require("plain"))
            Stash("b", input=config.require_secret("hidden"))
            Stash("c", input=config.require_object("deep"))
            pulumi.export("other", pulumi.Config("other").require_bool("key"))
            """,
        ),
        Step("config rm plain --stack dev"),
        Step("config get plain --stack dev", code=1),
        Step(PREVIEW, code=1),
    ),
    _case(
        "components",
        Step(
            UP,
            """
            g = Group("g", size=3)
            inner = Group("inner", Options(parent=g), label="x")
            s = Stash("s", input=1, opts=Options(parent=inner))
            inner.register_outputs({"value": s.output, "hidden": Output.secret("h")})
            pulumi.export("value", s.output)
            """,
        ),
        Step(
            PREVIEW,
            """
            g = Group("g", size=4)
            Stash("s", input=1, opts=Options(parent=g))
            """,
        ),
        Step(UP),
        Step(DESTROY),
    ),
    _case(
        "aliases",
        Step(
            UP, 'g = Group("g")\nStash("a", input=1, opts=Options(parent=g))\nStash("b", input=2)'
        ),
        Step(
            PREVIEW,
            """
            g = Group("new", Options(aliases=[pulumi.Alias(name="g")]))
            Stash("a", input=1, opts=Options(parent=g))
            Stash("c", input=3, opts=Options(parent=g, aliases=[
                pulumi.Alias(name="b", parent=pulumi.ROOT_STACK_RESOURCE)]))
            """,
        ),
        Step(UP),
        Step(UP),
    ),
    _case(
        "protection",
        Step(
            UP,
            """
            a = Stash("a", input=1)
            b = Stash("b", input=a.output, opts=Options(protect=True))
            Stash("c", input=b.output)
            """,
        ),
        Step(PREVIEW, "", code=1),
        Step(UP, code=1),
        Step(
            UP,
            """
            a = Stash("a", input=1)
            b = Stash("b", input=a.output, opts=Options(protect=True))
            Stash("c", input=b.output)
            Stash("d", input=4)
            """,
        ),
        Step(f"{DESTROY} --exclude-protected"),
        Step(DESTROY, code=1),
        Step(UP, 'a = Stash("a", input=1)\nStash("b", input=a.output)'),
        Step(DESTROY),
    ),
    _case(
        "references to other stacks",
        Step("stack init other"),
        Step(
            "up --yes --skip-preview --stack other",
            'pulumi.export("open", {"a": [1]})\npulumi.export("hidden", Output.secret("h"))',
        ),
        Step(
            PREVIEW,
            """
            other = pulumi.StackReference("organization/twins/other")
            Stash("a", input=other.get_output("open"))
            pulumi.export("hidden", other.require_output("hidden"))
            """,
        ),
        Step(UP),
        Step(UP),
        Step(PREVIEW, 'pulumi.StackReference("organization/twins/nowhere")', code=1),
        Step(DESTROY),
    ),
    _case(
        "a program that fails",
        Step(UP, 'Stash("a", input=1)\npulumi.export("old", 1)'),
        Step(
            UP,
            """
            import time
            s = Stash("b", input=2)
            pulumi.export("new", 2)
            s.output.apply(lambda _: 1 / 0)
            """,
            code=1,
        ),
        Step(UP, 'raise pulumi.RunError("not like this")', code=1),
        Step(UP, "import sys; sys.exit(3)", code=1),
        Step(UP, 'Stash("a", input=1)\nStash("a", input=1)', code=1),
        Step(UP, 'Stash("b", input=2)'),
    ),
    _case(
        "targets and expectations",
        Step(UP, 'a = Stash("a", input=1)\nStash("b", input=a.output)\nStash("c", input=3)'),
        Step(
            f"{UP} --target urn:pulumi:dev::twins::pulumi:index:Stash::a",
            'a = Stash("a", input=9)\nStash("b", input=a.output)\nStash("c", input=8)',
        ),
        Step(f"{PREVIEW} --expect-no-changes", code=7),
        Step(f"{UP} --exclude urn:pulumi:dev::twins::pulumi:index:Stash::b"),
        Step(f"{UP} --target urn:pulumi:dev::twins::pulumi:index:Stash::nothing", code=1),
        Step(f"{DESTROY} --target urn:pulumi:dev::twins::pulumi:index:Stash::a", code=1),
        Step(
            f"{DESTROY} --target urn:pulumi:dev::twins::pulumi:index:Stash::a --target-dependents"
        ),
        Step(f"{UP} --refresh"),
        Step(f"{PREVIEW} --expect-no-changes"),
    ),
    _case(
        "options",
        Step(
            UP,
            """
            a = Stash("a", input=1, opts=Options(retain_on_delete=True))
            b = Stash("b", input={"x": 1, "y": 2}, opts=Options(depends_on=[a]))
            Stash("c", input=3, opts=Options(
                deleted_with=a, custom_timeouts=pulumi.CustomTimeouts(create="5m", delete="90s")))
            """,
        ),
        Step(
            UP,
            """
            a = Stash("a", input=1, opts=Options(retain_on_delete=True))
            Stash("b", input={"x": 5, "y": 6}, opts=Options(ignore_changes=["input.x"]))
            Stash("c", input=4, opts=Options(ignore_changes=["input"]))
            """,
        ),
        Step(DESTROY),
    ),
    _case(
        "values of all kinds",
        Step(
            UP,
            """
            Stash("a", input=[0, -0.0, 1e-7, 1e21, 123456789012345680000, 1.5, 2**53, True, ""])
            Stash("b", input={"": "empty", "é": "\\u2028<>&", "n": None, "l": [[], {}]})
            Stash("c", input=Output.secret({"f": 0.1, "s": "\\u2029'\\\\"}))
            """,
        ),
        Step(UP),
    ),
)
