"""Chinese and English: complete, current, and written as their readers write."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.sample import NoSuchPromise, service
from contracts.serving import Served, serving
from shared.i18n import Language, explain, negotiate, speaking
from shared.i18n.catalogues import SHARED, extract, faults, load, path_of, update

NAMES = ("intake", "dispatch", "sla_monitor", "parts", "feedback", "contracts.sample")
PACKAGES = [SHARED, *(Path(str(import_module(name).__file__)).parent for name in NAMES)]
CHINESE, ENGLISH = Language("zh-CN"), Language("en")


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_message_is_translated_and_no_catalogue_is_stale(package: Path) -> None:
    assert faults(package) == []


def package_in(folder: Path, python: str = "", template: str = "") -> Path:
    (folder / "code.py").write_text(python, encoding="utf-8")
    (folder / "page.html").write_text(template, encoding="utf-8")
    return folder


def test_messages_are_found_in_code_templates_and_errors(tmp_path: Path) -> None:
    package = package_in(
        tmp_path,
        'a = _("one")\nb = ngettext("%(n)s two", "%(n)s twos", n)\nc = N_("three")\n'
        'class Lost(AftercareError):\n    """{what} is lost."""\n'
        'class Gone(Lost):\n    """{what} is gone."""\n'
        'class Other(Exception):\n    """Not for readers."""\n',
        '<p>{{ _("four") }}</p>{% trans name=x %}five {{ name }}{% endtrans %}',
    )
    found = {message.id for message in extract(package) if message.id}
    assert found == {
        "one", ("%(n)s two", "%(n)s twos"), "three", "{what} is lost.", "{what} is gone.", "four",
        "five %(name)s",
    }  # fmt: skip


def test_a_missing_a_stale_and_an_untranslated_message_are_told_apart(tmp_path: Path) -> None:
    package = package_in(tmp_path, '_("one")')
    assert "is missing" in faults(package)[0]
    assert "has no Chinese translation" in update(package)[0]
    po = path_of(package)
    po.write_text(po.read_text().replace('msgid "one"\nmsgstr ""', 'msgid "one"\nmsgstr "一"'))
    assert faults(package) == []
    package_in(tmp_path, '_("two")')
    assert sorted(fault.split("; ")[0].split(": ")[1] for fault in faults(package)) == [
        "'one' is no longer used",
        "'two' is missing",
    ]


def test_a_translation_that_names_other_fields_is_a_fault(tmp_path: Path) -> None:
    package = package_in(tmp_path, 'class Lost(AftercareError):\n    """{what} is lost."""')
    update(package)
    po = path_of(package)
    po.write_text(po.read_text().replace('msgstr ""', 'msgstr "{who} 丢失"'))
    assert "different fields" in faults(package)[0]


def test_bringing_a_catalogue_up_to_date_keeps_its_translations(tmp_path: Path) -> None:
    package = package_in(tmp_path, '_("one")')
    update(package)
    po = path_of(package)
    po.write_text(po.read_text().replace('msgstr ""', 'msgstr "一"'))
    package_in(tmp_path, '_("one")\n_("two")')
    update(package)
    assert load(package, "zh-CN").gettext("one") == "一"
    text = po.read_text()
    update(package)
    assert po.read_text() == text


@pytest.mark.parametrize(
    ("chosen", "accepted", "tag"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "en-GB, zh;q=0.9", "en"),
        (None, "en;q=0.3, zh-Hant-TW;q=0.7", "zh-CN"),
        (None, "fr, de;q=0.5", "en"),
        (None, "fr, zh;q=0.1", "zh-CN"),
        (None, "zh;q=0", "en"),
        (None, None, "en"),
        (None, "*", "en"),
        (None, ";;q=,zh;q=x,\x00", "en"),
        ("en", "zh-CN", "en"),
        ("zh-CN", "en", "zh-CN"),
        ("xx", "zh", "zh-CN"),
    ],
)
def test_the_reader_is_answered_in_the_best_language_there_is(
    chosen: str | None, accepted: str | None, tag: str
) -> None:
    assert negotiate(chosen, accepted) == tag


def test_instants_are_written_as_they_are_in_shanghai() -> None:
    instant = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)
    assert CHINESE.moment(instant) == "11月23日 周一 01:05"
    assert ENGLISH.moment(instant) == "Mon 23 Nov, 01:05"
    assert CHINESE.date(instant) == "2026年11月23日"
    assert ENGLISH.time(instant) == "01:05"


@pytest.mark.parametrize(
    ("length", "chinese", "english"),
    [
        (timedelta(hours=1, minutes=20, seconds=59), "1小时 20分钟", "1 hr 20 min"),
        (timedelta(days=2), "2天", "2 days"),
        (timedelta(seconds=59.9), "59秒", "59 sec"),
        (timedelta(0), "0秒", "0 sec"),
        (-timedelta(minutes=3), "3分钟", "3 min"),
        (timedelta(days=1, minutes=5), "1天", "1 day"),
    ],
)
def test_durations_are_cut_to_two_units(length: timedelta, chinese: str, english: str) -> None:
    assert CHINESE.duration(length) == chinese
    assert ENGLISH.duration(length) == english


def test_money_is_whole_minor_units() -> None:
    assert CHINESE.money(123456, "CNY") == "¥1,234.56"
    assert ENGLISH.money(1234, "JPY") == "¥1,234"
    assert CHINESE.percent(0.968) == "96.8%"


def test_an_error_explains_itself_in_the_readers_language() -> None:
    package = PACKAGES[-1]
    with speaking(Language("zh-CN", load(package, "zh-CN"))):
        assert explain(NoSuchPromise(id="7")) == "没有编号为 7 的承诺。"
    assert explain(NoSuchPromise(id="7")) == "There is no promise 7."


def test_a_service_uses_the_shared_words_too() -> None:
    assert load(PACKAGES[-1], "zh-CN").gettext("Sign out") == "退出"


async def test_a_chosen_language_stays(sample: Served) -> None:
    client = sample.client()
    answer = await client.post("/language", data={"tag": "zh-CN", "next": "/sign-in?next=%2Fsample%2Fboard"})
    assert answer.headers["location"] == "/sign-in?next=%2Fsample%2Fboard"
    page = await client.get("/sign-in")
    assert '<html lang="zh-CN"' in page.text
    assert "登录" in page.text
    assert page.headers["content-language"] == "zh-CN"
    assert "set-cookie" not in (await client.post("/language", data={"tag": "xx"})).headers


async def test_a_problem_is_told_in_the_readers_language(sample: Served) -> None:
    chinese = {"accept-language": "zh-CN", "accept": "application/json"}
    refused = await sample.client().get("/sample/board", headers=chinese)
    assert refused.status_code == 401
    assert refused.headers["content-language"] == "zh-CN"
    assert re.search("[\u4e00-\u9fff]", refused.json()["detail"])
    plain = await sample.client().get("/sample/board", headers={"accept": "application/json"})
    assert plain.headers["content-language"] == "en"
    assert plain.json()["detail"].isascii()
