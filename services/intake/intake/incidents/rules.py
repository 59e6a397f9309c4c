"""When many customers complain of one thing at once, and who of them is told what (R13)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from intake.requests.rules import UNKNOWN
from intake.sending.rules import state_now

State = Literal["proposed", "open", "ended", "dismissed"]
Step = Literal["declared", "updated", "ended"]
Fate = Literal["told", "waiting", "unreachable", "failed", "uncertain"]
GRACE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signature:
    """What complaints of one cause have in common.

    A symptom of "" is any: only people declare that, nothing but a shared symptom is ever proposed.
    """

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
        """One cause needs a symptom, and a product line or a region: who shares neither may share nothing."""
        if self.product_line is None and self.region == UNKNOWN:
            return
        for word in sorted(self.symptoms):
            yield Signature(self.product_line, self.region, word)

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


def _gravity(proposal: Proposal) -> tuple[int, str, str, str]:
    # The names only make the order certain.
    its = proposal.signature
    return proposal.customers, its.symptom, its.region, its.product_line or ""


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


def is_over(recovery_at: datetime | None, now: datetime) -> bool:
    """Whether an expected recovery has been; a minute is left for filling in the form."""
    return recovery_at is not None and now - recovery_at > GRACE


@dataclass(frozen=True, slots=True)
class Reach:
    """How many customers one message of an incident reached, by what became of the message to each.

    told         sent, delivered or read
    waiting      goes out by itself, or is on its way
    unreachable  there is no way to send it: no address, no account, nothing that sends, or too old by then
    failed       refused, given up or unwanted
    uncertain    nobody knows whether it arrived
    """

    told: int = 0
    waiting: int = 0
    unreachable: int = 0
    failed: int = 0
    uncertain: int = 0
    reasons: tuple[tuple[Fate, str, int], ...] = ()
    """Of the unreachable and the failed: which they are, why (`intake.sending.contract.Why`), how many."""

    @property
    def all(self) -> int:
        return self.told + self.waiting + self.unreachable + self.failed + self.uncertain


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages of one state: as we have it, and as providers told of it later (`confirmed`)."""

    state: str
    stranded: bool
    """No lane leads to the customer."""
    why: str | None
    confirmed: frozenset[str]
    count: int


def reach(deliveries: Iterable[Delivery]) -> Reach:
    """Sum up what became of the messages of one revision."""
    found: Counter[Fate] = Counter()
    reasons: Counter[tuple[Fate, str]] = Counter()
    for each in deliveries:
        fate = _fate(each)
        found[fate] += each.count
        if fate in ("unreachable", "failed"):
            late = fate == "failed" and each.state != "failed"
            reasons[fate, "refused" if late else each.why or ""] += each.count
    return Reach(
        told=found["told"],
        waiting=found["waiting"],
        unreachable=found["unreachable"],
        failed=found["failed"],
        uncertain=found["uncertain"],
        reasons=tuple((fate, why, count) for (fate, why), count in sorted(reasons.items())),
    )


def _fate(delivery: Delivery) -> Fate:
    match state_now(delivery.state, delivery.confirmed):
        case "sent" | "delivered" | "read":
            return "told"
        case "failed":
            return "failed"
        case "unknown":
            return "uncertain"
        case _:
            return "unreachable" if delivery.stranded else "waiting"


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
