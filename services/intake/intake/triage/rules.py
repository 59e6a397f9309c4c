"""What a request is about and how much it hurts, by explainable rules; safety words first (R05–R10)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shared.events.terms import Kind, Severity

_NEGATIONS_ZH: Final = ("不", "没", "没有", "无", "未", "并非", "不是", "不会", "没什么")
_NEGATIONS_EN: Final = re.compile(
    r"\b(?:no|not|never|without|isn't|aren't|doesn't|don't|wasn't|nothing)\s+(?:\w+\s+){0,2}$"
)
_REACH: Final = 24  # characters before a word in which its negation is looked for
_RANK: Final[dict[Severity, int]] = {"general": 0, "important": 1, "urgent": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's finding: the word that decided, as the customer wrote it."""

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
    """Safety words count whatever stands before them: a false alarm costs less than a fire."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        # English words end at word boundaries; Chinese has none.
        ways = (rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in self.words)
        return re.compile("|".join(ways))

    def match(self, text: str) -> Verdict | None:
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
        "won't start", "will not start", "does not start", "cannot start", "machine down", "production down",
        "line is down", "line down", "out of order", "stopped completely", "完全不能用", "完全无法使用", "无法使用",
        "不能使用", "停机", "停产", "瘫痪", "无法启动", "不能启动", "启动不了", "开不了机", "无法开机", "彻底坏"), severity="urgent"),
    Rule("stated_urgent", ("urgent", "emergency", "asap", "紧急", "十万火急", "马上派人", "立即派人"), severity="urgent"),
    # R08: main function affected, still runs for some time
    Rule("degraded", ("slow", "slower", "weak", "intermittent", "intermittently", "sometimes stops", "drops",
        "overheats", "overheating", "leaking", "leaks", "error code", "reduced", "partly", "部分功能", "性能下降",
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
        "漏电"), skill="electrical"),
    Rule("cooling", ("cooling", "refrigerant", "compressor", "air conditioner", "制冷", "冷媒", "压缩机", "空调"),
        skill="cooling"),
    Rule("hydraulics", ("hydraulic", "pump", "valve", "液压", "水泵", "阀门"), skill="hydraulics"),
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
    folded = unicodedata.normalize("NFKC", text).casefold()
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
    clause = re.split(r"[,.;!?，。；！？、\n]|\bbut\b|但", before)[-1]
    return clause.rstrip().endswith(_NEGATIONS_ZH) or _NEGATIONS_EN.search(clause) is not None
