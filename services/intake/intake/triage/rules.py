"""What a request is about and how much it hurts, by explainable rules; safety words first (R05–R10)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shared.events.terms import Kind, Severity

# "是不是漏水" and its like ask, they do not deny.
_NEGATIONS_ZH: Final = re.compile(
    r"(?<![是会有])(?:不|没|无|未|并非)(?:是|会|再|有|太|很|曾|怎么|任何|什么|出现|发生|发现)*\s*$"
)
_NEGATIONS_EN: Final = re.compile(
    r"\b(?:no|not|never|without|nothing|(?:is|are|was|were|does|do|did|has|have)n't)\s+(?:\w+\s+){0,2}$"
)
_CLAUSES: Final = re.compile(r"[,.;!?，。；！？、\n]|\bbut\b|但")
_REACH: Final = 24  # characters before a word in which its negation is looked for
_READ: Final = 20_000  # characters; what comes later is quoted, or a novel
_RANK: Final[dict[Severity, int]] = {"general": 0, "important": 1, "urgent": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's finding: the word that decided, in lower case and of usual width."""

    rule: str
    word: str


@dataclass(frozen=True)
class Rule:
    """Words that decide something; `words` are matched in Chinese and English, case and width folded."""

    name: str
    words: tuple[str, ...]
    severity: Severity | None = None
    kind: Kind | None = None
    skill: str | None = None
    even_negated: bool = False
    """Safety words count whatever stands before them: a false alarm costs less than a fire. So do words that
    name a subject: "no power" is about power."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        # English words end at word boundaries; Chinese has none.
        ways = (rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in self.words)
        return re.compile("|".join(ways))

    def match(self, text: str) -> Verdict | None:
        if not any(
            word in text for word in self.words
        ):  # twenty times faster than the pattern, and mostly so
            return None
        for found in self.pattern.finditer(text):
            before = text[max(0, found.start() - _REACH) : found.start()]
            if self.even_negated or not _negated(before):
                return Verdict(self.name, found.group())
        return None


RULES: Final = (
    # R09: safety hazard
    Rule("safety_hazard", ("fire", "smoke", "smoking", "burning", "spark", "sparks", "electric shock", "gas leak",
        "explosion", "exploded", "injured", "injury", "起火", "着火", "冒烟", "烧焦", "火花", "漏电", "触电", "燃气泄漏",
        "漏气", "爆炸", "受伤", "烫伤", "安全隐患"), severity="urgent", even_negated=True),
    # R09: wholly unusable, or production down
    Rule("unusable", ("completely dead", "dead", "unusable", "not working at all", "does not work at all",
        "won't start", "will not start", "does not start", "doesn't start", "cannot start",
        "can't start", "machine down", "production down",
        "line is down", "line down", "out of order", "stopped completely", "完全不能用", "完全无法使用", "无法使用",
        "不能使用", "停机", "停产", "瘫痪", "无法启动", "不能启动", "启动不了", "开不了机", "无法开机", "彻底坏", "不能用", "用不了"),
        severity="urgent"),
    Rule("stated_urgent", ("urgent", "emergency", "asap", "紧急", "十万火急", "马上派人", "立即派人"), severity="urgent"),
    # R08: main function affected, still runs for some time
    Rule("degraded", ("slow", "slower", "weak", "intermittent", "intermittently", "sometimes stops", "drops",
        "not working", "does not work", "doesn't work", "stopped working", "no cooling", "not cooling",
        "no heating", "not heating", "overheats", "overheating", "leaking", "leaks", "error code", "reduced", "partly", "部分功能", "性能下降",
        "变慢", "间歇", "时好时坏", "报错", "故障代码", "漏水", "过热", "发烫", "效果差", "不制冷", "不制热"),
        severity="important"),
    # R05: kinds
    Rule("complaint", ("complaint", "complain", "unacceptable", "terrible service", "投诉", "态度恶劣", "太差劲", "不满"),
        kind="complaint"),
    Rule("return_exchange", ("refund", "return it", "exchange", "money back", "退货", "换货", "退款", "退换"),
        kind="return_exchange"),
    Rule("installation", ("install", "installation", "commissioning", "安装", "调试", "上门装"), kind="installation"),
    Rule("upgrade", ("upgrade", "firmware update", "升级"), kind="upgrade"),
    Rule("maintenance", ("maintenance", "service interval", "保养", "维保", "检修"), kind="maintenance"),
    Rule("parts_purchase", ("buy a spare", "spare part", "spare parts", "购买备件", "买配件", "配件多少钱", "滤芯多少钱"),
        kind="parts_purchase"),
    Rule("order_query", ("order status", "where is my order", "delivery date", "invoice", "订单", "物流", "快递", "发票",
        "发货"), kind="order_query"),
    Rule("suggestion", ("suggest", "suggestion", "would be nice", "建议", "希望能够增加"), kind="suggestion"),
    Rule("fault", ("broken", "fault", "faulty", "defect", "repair", "fix", "error", "noise", "noisy", "坏了", "故障",
        "维修", "修理", "异响", "噪音", "不工作", "失灵"), kind="fault"),
    Rule("enquiry", ("how do i", "how to", "question", "could you tell", "请问", "咨询", "怎么用", "如何使用"), kind="enquiry"),
    # R10: skills
    Rule("electrical", ("electric", "electrical", "power", "wiring", "voltage", "fuse", "电路", "电源", "电压", "跳闸",
        "漏电"), skill="electrical", even_negated=True),
    Rule("cooling", ("cooling", "refrigerant", "compressor", "air conditioner", "制冷", "冷媒", "压缩机", "空调"),
        skill="cooling", even_negated=True),
    Rule("hydraulics", ("hydraulic", "pump", "valve", "液压", "水泵", "阀门"), skill="hydraulics",
        even_negated=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Triage:
    """What the rules decided, and by which words."""

    kind: Kind
    severity: Severity
    difficulty: int
    skills: tuple[str, ...]
    reasons: tuple[Verdict, ...]


def judge(text: str, rules: Sequence[Rule] = RULES) -> Triage:
    """Kind, severity, difficulty and skills of a request.

    The gravest severity wins, the first kind in the order of the rules; trouble without a kind is a fault,
    nothing at all an enquiry. Without a word of trouble a request is general (R07).
    """
    folded = unicodedata.normalize("NFKC", text[:_READ]).casefold().replace("’", "'")  # as phones type it
    found = [(rule, verdict) for rule in rules if (verdict := rule.match(folded))]
    severity = _gravest(rule.severity for rule, _ in found)
    kinds = [rule.kind for rule, _ in found if rule.kind]
    kind: Kind = kinds[0] if kinds else ("fault" if severity != "general" else "enquiry")
    skills = tuple(sorted({rule.skill for rule, _ in found if rule.skill}))
    reasons = tuple(verdict for _, verdict in found) or (Verdict("nothing_found", ""),)
    return Triage(kind, severity, 1 + _RANK[severity] + min(2, len(skills)), skills, reasons)


def _gravest(found: Iterable[Severity | None]) -> Severity:
    return max((each for each in found if each), key=_RANK.__getitem__, default="general")


def _negated(before: str) -> bool:
    clause = _CLAUSES.split(before)[-1]
    return bool(_NEGATIONS_ZH.search(clause) or _NEGATIONS_EN.search(clause))
