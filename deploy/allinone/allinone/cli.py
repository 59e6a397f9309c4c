"""The `aftercare` command; each of its commands imports only what it needs, so that none is slow to begin."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from allinone.ending import do, fail
from allinone.faults import NotUsable

if TYPE_CHECKING:
    from allinone.operations import Replayed


app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
organisation = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The organisation to begin with."
)
app.add_typer(organisation, name="organisation")
letters = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Events that could not be handled.")
app.add_typer(letters, name="dead-letters")


def _instant(written: str | datetime) -> datetime:
    if isinstance(written, datetime):
        return written
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        raise typer.BadParameter(f"{written!r} is not an instant like 2026-02-14T15:00+08:00") from None


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
Services = Annotated[list[str] | None, typer.Option("--service", help="Only this one; may be repeated.")]


@organisation.callback()
def _organisation() -> None:
    """So that `preset` stays a word of its own."""


@organisation.command("preset")
def organisation_preset(
    name: Annotated[str, typer.Argument(help="flat, functional or matrix.")],
) -> None:
    """Print an organisation as PUT /dispatch/organisation takes it: change names and ids, then import it."""
    from dispatch.organisation.presets import PRESETS, written

    found = next((each for each in PRESETS if each == name), None)
    if found is None:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(PRESETS)}")
    typer.echo(written(found), nl=False)


@app.command()
def run(
    phones: Annotated[
        bool,
        typer.Option("--phones", help="Also by TLS on the local network, for telephones (docs/phones.md)."),
    ] = False,
) -> None:
    """Serve all five services on one port with an embedded database (PORT, default 8000)."""
    from allinone.embedded import run as run_embedded

    do(run_embedded(_port(), phones=phones))


@app.command()
def up() -> None:
    """Start five processes, RabbitMQ and PostgreSQL on this machine, behind one address (PORT)."""
    from allinone import suite

    try:
        suite.up(_port())
    except suite.NotStarted as reason:
        fail(reason, 1)
    typer.echo(f"Aftercare is at http://127.0.0.1:{_port()}/ (`make down` stops it)")


@app.command()
def down() -> None:
    """Stop what `aftercare up` started; the data stay."""
    from allinone import suite

    typer.echo("stopped" if suite.down() else "nothing was running")


@app.command("open", hidden=True)
def open_suite(answers: int) -> None:
    """What `aftercare run` has done at the start, by a process that ends."""
    from allinone import opening

    do(opening.open_suite(_port(), answers))


@app.command(hidden=True)
def keep() -> None:
    """What `aftercare up` leaves running."""
    from allinone import suite

    do(suite.keep(_port()))


@app.command()
def status(
    url: Annotated[
        list[str] | None,
        typer.Option(help="Where to ask; repeated for several processes. Default: what runs in this folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How every service is, and why what is red is red; ends with 0 (well), 1 (red) or 2 (no answer)."""
    from allinone import status as suite_status

    addresses = url or [suite_status.default_address(os.environ.get("PORT"))]
    found = do(suite_status.look([each.rstrip("/") for each in addresses], counted=url is None))
    typer.echo(json.dumps(found.document()) if as_json else suite_status.in_words(found))
    raise typer.Exit(found.exit_code)


@app.command()
def token(
    role: Annotated[str, typer.Option(help="What its bearer may do.")],
    subject: Annotated[str | None, typer.Option(help="Whom it speaks for; a person's id for pages.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Only region=…, product_line=…, customer_level=… or channel=…; may be repeated."),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=24 * 366, help="How long it is good for.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token that the suite in this folder accepts."""
    from allinone import tokens

    made = do(tokens.issue(role, subject, scope or (), timedelta(hours=hours)))
    typer.echo(json.dumps(made.document()) if as_json else made.token)


PolicyFile = Annotated[
    Path | None, typer.Option(help="As GET /sla/policies/VERSION answers; default: what ships.")
]
CalendarFile = Annotated[
    Path | None,
    typer.Option(help="As GET /sla/calendars/NAME/versions/VERSION answers; default: what ships."),
]
HistoryFile = Annotated[Path, typer.Option(help="A CSV file of tickets, or of their changes.")]
MappingFile = Annotated[Path, typer.Option(help="TOML or JSON: what its columns mean (docs/examples).")]


@app.command()
def deadline(
    start: Annotated[
        datetime, typer.Option(parser=_instant, metavar="INSTANT", help="When it begins; local if no zone.")
    ],
    clock: Annotated[
        str | None, typer.Option(help="Which promise, such as first_reply or on_site; default: each.")
    ] = None,
    severity: Annotated[str | None, typer.Option(help="general, important or urgent.")] = None,
    channel: Annotated[str | None, typer.Option(help="How the request came in, such as email.")] = None,
    same_city: Annotated[
        bool | None, typer.Option("--same-city/--other-city", help="Whether the site is in a centre's city.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="JSON: what happened, and when.")] = None,
    policy: PolicyFile = None,
    calendar: CalendarFile = None,
    as_json: AsJson = False,
) -> None:
    """Work out when promises are due, step by step, without a server."""
    from allinone import reckoning, rulings

    said = {"severity": severity, "channel": channel, "same_city": same_city}
    facts = {name: value for name, value in said.items() if value is not None}
    try:
        rules = rulings.read_rules(policy, calendar)
        begins = start if start.tzinfo else start.replace(tzinfo=rules.counting.calendar.tz)
        answer = reckoning.answer(begins, clock, facts, events, rules)
    except NotUsable as reason:
        fail(reason, 2)
    typer.echo(json.dumps(answer.document()) if as_json else answer.in_words())


@app.command()
def whatif(
    history: HistoryFile,
    mapping: MappingFile,
    policy: PolicyFile = None,
    calendar: CalendarFile = None,
    against: Annotated[
        Path | None, typer.Option(help="The policy to compare with; default: what ships.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a policy or a calendar would have made of a history, without a server."""
    from allinone import whatif as replaying

    try:
        rules = replaying.read_rules(policy, calendar, against)
        found = replaying.run(history, replaying.read_mapping(mapping), rules, replaying.to_stderr)
    except NotUsable as reason:
        fail(reason, 2)
    typer.echo(json.dumps(replaying.document(found)) if as_json else replaying.in_words(found))


@app.command()
def import_history(
    file: Annotated[Path, typer.Argument(help="A CSV file of tickets, or of their changes.")],
    mapping: MappingFile,
    url: Annotated[str | None, typer.Option(help="Where the suite is. Default: what runs here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a history into the running suite for replays; again, it goes on where it broke off."""
    from allinone import histories, whatif
    from allinone import status as suite_status

    address = url or suite_status.default_address(os.environ.get("PORT"))
    sent = do(histories.send(file, mapping, address, whatif.to_stderr))
    told = f"{sent.tickets} tickets sent, {sent.known} of them known, {sent.bad.count} rows passed over"
    typer.echo(json.dumps(sent.document()) if as_json else told)


@app.command()
def normalise(
    files: Annotated[list[Path], typer.Argument(help="Bodies as they came, one call each.")],
    channel: Annotated[str, typer.Option(help="The door, such as telegram, wechat, email or web_form.")],
    headers: Annotated[
        Path | None, typer.Option(help="JSON: the headers that all of them came with.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the account; without any, nothing is verified.")
    ] = None,
    url: Annotated[str, typer.Option(help="As the provider called it, query and all.")] = "",
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=_instant, metavar="INSTANT", help="When they came; default: now. UTC if no zone."
        ),
    ] = None,
) -> None:
    """Print what intake would make of a channel's payloads, one JSON document a line; changes nothing."""
    from allinone import trial

    moment = at or datetime.now(UTC)  # noqa: TID251  no server, so no database whose clock counts
    unread = 0
    try:
        secrets, told = trial.secrets_of(secret or (), headers)
        came = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        for line in trial.lines(channel, files, secrets, told, url, came):
            unread += "unread" in line
            typer.echo(json.dumps(line, ensure_ascii=False))
    except NotUsable as reason:
        fail(reason, 2)
    raise typer.Exit(1 if unread else 0)


@app.command()
def provision() -> None:
    """Create database, roles and schemas, as database administrator."""
    from allinone import access, schemas

    do(schemas.provision_all())
    typer.echo(f"database, roles and schemas of {', '.join(access.NAMES)} are there")


@app.command()
def migrate() -> None:
    """Bring every schema to the newest migration, as its owner."""
    from allinone import schemas

    async def each() -> None:
        async for name in schemas.migrate_all():
            typer.echo(f"{name}: at head")

    do(each())


@app.command()
def topology(as_json: AsJson = False) -> None:
    """Declare exchanges and queues, as broker administrator, before any service starts."""
    from allinone import operations

    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it says in worse words what ours says
    queues = do(operations.declare_topology())
    typer.echo(json.dumps({"queues": queues}) if as_json else "\n".join(queues))


@app.command()
def resend(
    since: Annotated[
        datetime,
        typer.Option(parser=_instant, metavar="INSTANT", help="Everything published since; UTC if no zone."),
    ],
    service: Services = None,
    as_json: AsJson = False,
) -> None:
    """Queue again, on the bulk lane, what a broker lost; receivers drop what they know."""
    from allinone import access, operations

    moment = since if since.tzinfo else since.replace(tzinfo=UTC)
    names = service or access.NAMES

    async def each() -> dict[str, int]:
        queued = dict.fromkeys(names, 0)
        async for batch in operations.resend(moment, names):
            queued[batch.service] += batch.events
            if batch.events and not as_json:
                typer.echo(f"{batch.service}: {batch.events} × {batch.type}", err=True)
        return queued

    queued = do(each())
    lines = [f"{name}: {count} events queued again" for name, count in queued.items()]
    typer.echo(json.dumps(queued) if as_json else "\n".join(lines))


@letters.command("list")
def list_letters(service: Services = None, as_json: AsJson = False) -> None:
    """What could not be handled, and why."""
    from allinone import access, operations

    async def each() -> list[dict[str, Any]]:
        return [letter async for letter in operations.dead_letters(service or access.NAMES)]

    found = do(each())
    lines = ["{service}  {id}  {at}  {reason}: {error}".format(**letter) for letter in found]
    typer.echo(json.dumps(found) if as_json else "\n".join(lines or ["no dead letters"]))


@letters.command("replay")
def replay_letters(
    service: Annotated[str, typer.Argument(help="The service whose dead letters these are.")],
    ids: Annotated[list[UUID] | None, typer.Argument(help="Which; all of them when none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try again, up to five times each, once the cause is gone."""
    done = do(_replay(service, ids, quiet=as_json))
    left = done.total - done.revived
    if as_json:
        typer.echo(json.dumps({"service": service, "revived": done.revived, "left": left}))
    else:
        still = f"; {left} cannot be read yet, are too old, or are not there" if left else ""
        typer.echo(f"{service}: {done.revived} of {done.total} revived{still}")


async def _replay(service: str, ids: Sequence[UUID] | None, *, quiet: bool) -> Replayed:
    from allinone import operations

    done = operations.Replayed(0, 0, 0)
    async for done in operations.replay(service, ids or None):
        if not quiet:
            typer.echo(f"{service}: {done.tried} of {done.total} tried, {done.revived} revived", err=True)
    return done


@app.command("map")
def write_map() -> None:
    """Regenerate what is generated from the services (for developers)."""
    from allinone import generated

    for file in generated.write(Path.cwd()):
        typer.echo(f"wrote {file}")


def _port() -> int:
    written = os.environ.get("PORT", "8000")
    if not written.isdigit() or not 0 < int(written) < 65536:
        fail(f"PORT is {written!r}, which is no port: give a number from 1 to 65535", 2)
    return int(written)


if __name__ == "__main__":
    app()
