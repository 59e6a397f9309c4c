"""When many customers complain of one thing at once, and who of them is told what (R13)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

State = Literal["proposed", "open", "ended", "dismissed"]
Step = Literal["declared", "updated", "ended"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What complaints of one cause have in common; a symptom of "" is any."""

    product_line: str | None
    region: str
    symptom: str = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One request, as far as causes are concerned; symptoms are the words by which triage found trouble."""

    request_id: UUID
    customer_id: UUID
    product_line: str | None
    region: str
    symptoms: frozenset[str]
    at: datetime

    def signatures(self) -> Iterable[Signature]:
        """The most telling first."""
        for word in sorted(self.symptoms):
            yield Signature(self.product_line, self.region, word)
        yield Signature(self.product_line, self.region)

    def bears(self, signature: Signature) -> bool:
        same_place = (self.product_line, self.region) == (signature.product_line, signature.region)
        return same_place and (not signature.symptom or signature.symptom in self.symptoms)


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as many.

    window      how far back complaints belong together
    baseline    how far back before the window one looks for what is usual
    least       customers: fewer are never an incident
    factor      times what is usual in a window of this length
    quiet       how long a dismissed or ended incident is not proposed again
    """

    window: timedelta = timedelta(minutes=30)
    baseline: timedelta = timedelta(days=7)
    least: int = 5
    factor: float = 3.0
    quiet: timedelta = timedelta(hours=2)


SHIPPED: Final = Terms()


@dataclass(frozen=True, slots=True)
class Proposal:
    """Somebody should look: so many customers, where so many are usual."""

    signature: Signature
    requests: tuple[UUID, ...]
    customers: int
    usual: float


def burst(
    recent: Sequence[Complaint],
    baseline: Mapping[Signature, int],
    now: datetime,
    terms: Terms = SHIPPED,
) -> list[Proposal]:
    """The causes that complaints of the last window point to, the gravest first; each request counts for one.

    `baseline` is how many customers complained so within `terms.baseline` before the window. Customers are
    counted, not requests: one who writes twenty times is not an outage.
    """
    left = [each for each in recent if now - terms.window < each.at <= now]
    found: list[Proposal] = []
    while True:
        best = max(_bursts(left, baseline, terms), key=_gravity, default=None)
        if best is None:
            return found
        found.append(best)
        taken = set(best.requests)
        left = [each for each in left if each.request_id not in taken]


def unclaimed(recent: Iterable[Complaint], known: Collection[Signature]) -> list[Complaint]:
    """Complaints that no known incident explains already."""
    return [each for each in recent if not any(each.bears(signature) for signature in known)]


def candidates(recent: Iterable[Complaint], terms: Terms = SHIPPED) -> list[Signature]:
    """What enough customers complain of that it is worth looking up what is usual."""
    return [
        signature for signature, those in _by_signature(recent).items() if _customers(those) >= terms.least
    ]


def _bursts(
    complaints: Sequence[Complaint], baseline: Mapping[Signature, int], terms: Terms
) -> Iterable[Proposal]:
    for signature, those in _by_signature(complaints).items():
        customers = _customers(those)
        expected = baseline.get(signature, 0) * (terms.window / terms.baseline)
        if customers >= max(terms.least, terms.factor * expected):
            yield Proposal(signature, tuple(sorted(each.request_id for each in those)), customers, expected)


def _by_signature(complaints: Iterable[Complaint]) -> dict[Signature, list[Complaint]]:
    found: dict[Signature, list[Complaint]] = defaultdict(list)
    for each in complaints:
        for signature in each.signatures():
            found[signature].append(each)
    return found


def _customers(complaints: Iterable[Complaint]) -> int:
    return len({each.customer_id for each in complaints})


def _gravity(proposal: Proposal) -> tuple[bool, int, str, str, str]:
    # A named symptom says more than none; the names only make the order certain.
    its = proposal.signature
    return bool(its.symptom), proposal.customers, its.symptom, its.region, its.product_line or ""


@dataclass(frozen=True, slots=True)
class Linked:
    """A request that belongs to an incident."""

    request_id: UUID
    customer_id: UUID
    channel: str
    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one customer: about which incident, at which revision, where."""

    customer_id: UUID
    request_id: UUID
    channel: str
    chinese: bool


def notices(linked: Iterable[Linked], told: Collection[UUID]) -> list[Notice]:
    """Who is still to be told of the present revision: each customer once, where they asked last."""
    newest: dict[UUID, Linked] = {}
    for each in sorted(linked, key=lambda it: it.request_id):  # identifiers rise with time
        newest[each.customer_id] = each
    return [
        Notice(customer, each.request_id, each.channel, is_chinese(each.title))
        for customer, each in sorted(newest.items())
        if customer not in told
    ]


def is_chinese(text: str) -> bool:
    """Whether somebody who wrote this reads Chinese; a title without a letter does not tell, most here do."""
    return any("\u3400" <= sign <= "\u9fff" for sign in text) or not any(sign.isalpha() for sign in text)


def wording(step: Step, title: str, cause: str, recovery: str | None, note: str, *, chinese: bool) -> str:
    """What a customer reads; `recovery` is the expected time as it is written, None when nobody knows."""
    if chinese:
        openings = {
            "declared": f"您反馈的问题属于一起影响多位客户的故障：{title}。",
            "updated": f"关于“{title}”的最新进展：",
            "ended": f"“{title}”已经恢复。",
        }
        lines = [openings[step], f"原因：{cause}" if cause else "原因正在查明。"]
        if step != "ended":
            lines.append(f"预计恢复时间：{recovery}（北京时间）" if recovery else "预计恢复时间尚不能确定。")
    else:
        openings = {
            "declared": f"What you told us of is part of a fault that affects several customers: {title}.",
            "updated": f"News about “{title}”:",
            "ended": f"“{title}” is over.",
        }
        lines = [openings[step], f"Cause: {cause}" if cause else "We are looking for the cause."]
        if step != "ended":
            until = f"{recovery} (Beijing time)" if recovery else "not known yet"
            lines.append(f"Expected to work again: {until}")
    return "\n".join([*lines, note] if note else lines)


def written(instant: datetime | None, chinese: bool) -> str | None:
    """A time on the customer's wall, as their language writes it; `instant` is in their zone."""
    if instant is None:
        return None
    if chinese:
        return f"{instant.month}月{instant.day}日 {instant:%H:%M}"
    return f"{instant.day} {instant:%B}, {instant:%H:%M}"
