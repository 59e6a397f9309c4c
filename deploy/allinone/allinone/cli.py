"""The `aftercare` command."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from allinone import access, operations

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
letters = typer.Typer(no_args_is_help=True, help="Events that could not be handled.")
app.add_typer(letters, name="dead-letters")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
Services = Annotated[list[str] | None, typer.Option("--service", help="Only this one; may be repeated.")]


@app.command()
def run() -> None:
    """Serve all five services on one port with an embedded database (PORT, default 8000)."""
    from allinone.embedded import run as run_embedded

    asyncio.run(run_embedded(int(os.environ.get("PORT", "8000"))))


@app.command()
def up() -> None:
    """Start five processes, RabbitMQ and PostgreSQL on this machine, behind one address (PORT)."""
    from allinone import suite

    port = int(os.environ.get("PORT", "8000"))
    try:
        suite.up(port)
    except suite.NotStarted as reason:
        typer.echo(str(reason), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Aftercare is at http://127.0.0.1:{port}/ (`make down` stops it)")


@app.command()
def down() -> None:
    """Stop what `aftercare up` started; the data stay."""
    from allinone import suite

    typer.echo("stopped" if suite.down() else "nothing was running")


@app.command(hidden=True)
def keep() -> None:
    """What `aftercare up` leaves running."""
    from allinone import suite

    asyncio.run(suite.keep(int(os.environ.get("PORT", "8000"))))


@app.command()
def provision() -> None:
    """Create database, roles and schemas, as database administrator."""
    _do(operations.provision_all())


@app.command()
def migrate() -> None:
    """Bring every schema to the newest migration, as its owner."""

    async def each() -> None:
        async for name in operations.migrate_all():
            typer.echo(f"{name}: at head")

    _do(each())


@app.command()
def topology(as_json: AsJson = False) -> None:
    """Declare exchanges and queues, as broker administrator, before any service starts."""

    async def declare() -> None:
        queues = await operations.declare_topology()
        typer.echo(json.dumps({"queues": queues}) if as_json else "\n".join(queues))

    _do(declare())


@app.command()
def resend(
    since: Annotated[datetime, typer.Option(help="Everything published since, UTC if it names no zone.")],
    service: Services = None,
    as_json: AsJson = False,
) -> None:
    """Queue again, on the bulk lane, what a broker lost; receivers drop what they know."""
    moment = since.astimezone() if since.tzinfo else datetime.fromisoformat(f"{since.isoformat()}+00:00")

    async def each() -> None:
        queued: dict[str, int] = {}
        async for name, count in operations.resend(moment, service or access.NAMES):
            queued[name] = count
            if not as_json:
                typer.echo(f"{name}: {count} events queued again")
        if as_json:
            typer.echo(json.dumps(queued))

    _do(each())


@letters.command("list")
def list_letters(service: Services = None, as_json: AsJson = False) -> None:
    """What could not be handled, and why."""

    async def each() -> None:
        found = [letter async for letter in operations.dead_letters(service or access.NAMES)]
        if as_json:
            typer.echo(json.dumps(found))
        for letter in found if not as_json else ():
            typer.echo("{service}  {id}  {at}  {reason}: {error}".format(**letter))

    _do(each())


@letters.command("replay")
def replay_letters(
    service: Annotated[str, typer.Argument(help="The service whose dead letters these are.")],
    ids: Annotated[list[UUID] | None, typer.Argument(help="Which; all of them when none is named.")] = None,
) -> None:
    """Try again, up to five times each, once the cause is gone."""

    async def replay() -> None:
        typer.echo(f"{await operations.replay(service, ids)} revived")

    _do(replay())


@app.command("map")
def write_map() -> None:
    """Regenerate what is generated from the services (for developers)."""
    from allinone import generated

    for file in generated.write(Path.cwd()):
        typer.echo(f"wrote {file}")


def _do(work: object) -> None:
    try:
        asyncio.run(work)  # type: ignore[arg-type]
    except access.NotNamed as missing:
        typer.echo(str(missing), err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
