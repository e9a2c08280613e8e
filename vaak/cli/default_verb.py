"""Groups of verbs of which one may be left out: `vaak launch PROJECT`, `vaak align RECIPE`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


def with_default(verb: str) -> type[TyperGroup]:
    """A group for `typer.Typer(cls=…)`. What is no verb of it is the first argument of `verb`."""

    class Group(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] not in self.commands:
                args = [verb, *args]
            return super().resolve_command(ctx, args)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            # An option first, as in `vaak launch --out runs/first project.yaml`, belongs to that verb; only help is the group's own.
            if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
                args = [verb, *args]
            return super().parse_args(ctx, args)

    return Group
