"""Triage by explainable rules: what customers write, and what it is taken for (R05–R10)."""

from __future__ import annotations

import pytest

from intake.triage.rules import Triage, judge
from intake.triage.ruleset import shipped


def found_by(text: str) -> set[str]:
    return {reason.rule for reason in judge(text).reasons}


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("外壳有一道划痕", "general"),  # R07: cosmetic
        ("There is a scratch on the cover.", "general"),
        ("请问滤芯怎么用", "general"),
        ("空调不制冷，风还是有的", "important"),  # R08: main function affected, still runs
        ("机器变慢，时好时坏", "important"),
        ("The dryer overheats after an hour.", "important"),
        ("The fan is not working.", "important"),
        ("设备完全不能用", "urgent"),  # R09: wholly unusable
        ("生产线停机了", "urgent"),
        ("打印机用不了", "urgent"),
        ("It won't start since this morning.", "urgent"),
        ("Our line is down.", "urgent"),
        ("冰箱后面冒烟", "urgent"),  # R09: safety hazard
        ("There were sparks at the plug.", "urgent"),
    ],
)
def test_severity_follows_the_criteria_of_the_regulation(text: str, severity: str) -> None:
    assert judge(text).severity == severity


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("请问怎么用定时功能", "enquiry"),
        ("洗衣机坏了", "fault"),
        ("我要投诉你们的态度", "complaint"),
        ("建议增加静音模式", "suggestion"),
        ("我想退货", "return_exchange"),
        ("什么时候上门安装", "installation"),
        ("我的订单到哪里了", "order_query"),
        ("控制器可以升级吗", "upgrade"),
        ("预约年度保养", "maintenance"),
        ("想购买备件", "parts_purchase"),
        ("I want my money back.", "return_exchange"),
        ("Where is my order?", "order_query"),
        ("The pump is broken.", "fault"),
        ("It leaks.", "fault"),  # trouble without a word for its kind
        ("你好", "enquiry"),
    ],
)
def test_every_kind_has_words_of_its_own(text: str, kind: str) -> None:
    assert judge(text).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "不漏水，只是想问问",
        "没有漏水",
        "没有任何漏水",
        "不会漏水",
        "现在不再漏水了",
        "It is not slow.",
        "It isn't slow.",
        "It isn’t really slow.",  # the apostrophe of a phone
        "It never drops anything.",
        "without any leaks",
    ],
)
def test_trouble_that_is_denied_does_not_count(text: str) -> None:
    assert judge(text).severity == "general"


@pytest.mark.parametrize(
    "text",
    [
        "没有异味，但是漏水",
        "不知道为什么，漏水了",
        "It is not loud, but it leaks.",
        "是不是漏水了",
        "有没有漏水你来看看",
    ],
)
def test_a_denial_reaches_no_further_than_its_clause_and_a_question_is_none(text: str) -> None:
    assert judge(text).severity == "important"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("没有起火", "fire_or_smoke.denied"),
        ("There was no fire.", "fire_or_smoke.denied"),
        ("没有人受伤", "injury.denied"),
        ("No smoke, not even a spark.", "fire_or_smoke.denied"),
        ("Will it catch fire?", "fire_or_smoke.asked"),
        ("会不会着火？", "fire_or_smoke.asked"),
        ("如果冒烟怎么办", "fire_or_smoke.asked"),
        ("It smoked once; it was on fire last year.", "fire_or_smoke.past"),
        ("去年着火", "fire_or_smoke.past"),
        ("The fire was on Monday. That is fixed now.", "fire_or_smoke.past"),
    ],
)
def test_a_danger_that_is_not_meant_is_no_danger_but_is_kept_as_a_reason(text: str, told: str) -> None:
    assert judge(text).severity == "general"
    assert told in found_by(text)


@pytest.mark.parametrize(
    "text",
    [
        "没有冒烟，是直接起火了",
        "不是不小心，漏电了",
        "It is not only hot, there is smoke.",
        "Was fixed last month. Now it smokes.",
        "Can you come? There is smoke.",
        "Is it fixed? No. There is smoke.",
        "stops completely, production is down",
        "停了",
        "急需派人，产线停了",
        "產線停擺",
        "> works again\nNo, it does not start at all.",
    ],
)
def test_what_is_meant_stays_urgent_whatever_is_said_around_it(text: str) -> None:
    assert judge(text).severity == "urgent"


@pytest.mark.parametrize("text", ["URGENT!!! need an invoice", "火速发货", "急！开发票", "fire sale?"])
def test_shouting_makes_nothing_urgent(text: str) -> None:
    assert judge(text).severity == "general"


def test_the_gravest_word_decides_and_all_reasons_are_kept() -> None:
    assert found_by("机器变慢，现在冒烟了，我要投诉") >= {"fire_or_smoke", "degraded", "complaint"}
    assert judge("机器变慢，现在冒烟了，我要投诉").severity == "urgent"


def test_a_word_within_a_word_is_none() -> None:
    assert found_by("My wireless firewall is deadlocked by slowmotion.") == {"nothing_found"}


def test_width_and_case_do_not_matter() -> None:
    assert judge("ＩＴ　ＳＭＯＫＥＳ： SMOKE!").severity == "urgent"


def test_skills_are_what_it_is_about_even_where_something_is_missing() -> None:
    assert judge("There is no power.").skills == ("electrical",)
    assert judge("空调的水泵和电源").skills == ("cooling", "electrical", "hydraulics")


def test_difficulty_rises_with_severity_and_skills_from_one_to_five() -> None:
    assert judge("你好").difficulty == 1
    assert judge("停机，空调的水泵和电源").difficulty == 5


def test_a_reason_names_the_rule_and_the_word_it_decided_by() -> None:
    [reason] = judge("外壳冒烟").reasons
    assert (reason.rule, reason.word) == ("fire_or_smoke", "冒烟")


def test_nothing_to_go_by_is_a_general_enquiry_and_says_so() -> None:
    nothing = judge("")
    assert (nothing.kind, nothing.severity, nothing.skills) == ("enquiry", "general", ())
    assert [reason.rule for reason in nothing.reasons] == ["nothing_found"]


@pytest.mark.parametrize(
    "name",
    [
        rule.name
        for rule in shipped().rules
        if rule.severity and not (rule.near or rule.along or rule.then or rule.last)
    ],
)
def test_every_word_of_a_rule_raises_its_severity(name: str) -> None:
    ranks = ("general", "important", "urgent")
    rule = next(rule for rule in shipped().rules if rule.name == name)
    assert rule.severity
    for word in shipped().words_of(rule.words):
        judged: Triage = judge(f"{word.rstrip('*')} — 编号一")
        assert ranks.index(judged.severity) >= ranks.index(rule.severity), word
