"""Places as people write them: one code for one place, or none, never a new one (R54-R57, decision 4)."""

from __future__ import annotations

from collections import Counter

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.places.catalogue import Catalogue, Place, fold, shipped
from intake.places.rules import Finding, place

HERE = Catalogue(shipped())
TRADITIONAL = opencc.OpenCC("s2t")
CITIES = [each for each in HERE.of("city") if "-" not in each.code]


@pytest.mark.parametrize(
    ("region", "city", "expected"),
    [
        ("east", "shanghai", ("east", "shanghai")),
        ("华东", "上海", ("east", "shanghai")),
        ("East", "Shanghai", ("east", "shanghai")),
        ("unknown", "SHANGHAI", ("east", "shanghai")),
        ("unknown", "ＳＨＡＮＧＨＡＩ", ("east", "shanghai")),
        ("unknown", "Shànghǎi Shi, China", ("east", "shanghai")),
        ("unknown", "上海市", ("east", "shanghai")),
        ("上海", "unknown", ("east", "shanghai")),
        ("上海", "浦东新区", ("east", "shanghai")),
        ("unknown", "华东/上海", ("east", "shanghai")),
        ("unknown", "上海浦东新区", ("east", "shanghai")),
        ("華東區", "蘇州市", ("east", "suzhou")),
        ("East China", "Suzhou", ("east", "suzhou")),
        ("安徽", "Suzhou", ("east", "suzhou-anhui")),
        ("northwest", "yulin", ("northwest", "yulin-shaanxi")),
        ("unknown", "江苏省苏州市", ("east", "suzhou")),
        ("吉林", "吉林", ("northeast", "jilin")),
        ("unknown", "吉林长春", ("northeast", "changchun")),
        ("吉林", "长春市朝阳区", ("northeast", "changchun")),
        ("unknown", "Peking", ("north", "beijing")),
        ("Inner Mongolia", "Hohhot", ("north", "huhehaote")),
        ("内蒙古自治区", "呼和浩特", ("north", "huhehaote")),
        ("unknown", "Xi'an", ("northwest", "xian")),
        ("unknown", "湘西土家族苗族自治州", ("central", "xiangxi")),
        ("青海", "海南藏族自治州", ("northwest", "hainanzhou")),
        ("Hong Kong", "unknown", ("hongkong", "hongkong")),
        ("unknown", "臺北", ("taiwan", "taibei")),
        ("浙江省", "unknown", ("east", "unknown")),
        ("north", "unknown", ("north", "unknown")),
        ("unknown", "unknown", ("unknown", "unknown")),
    ],
)
def test_one_place_whoever_writes_it_how(region: str, city: str, expected: tuple[str, str]) -> None:
    found = place(region, city, HERE)
    assert ((found.region, found.city), found.finding) == (expected, None)


@pytest.mark.parametrize(
    ("region", "city", "expected", "finding"),
    [
        ("north", "shanghai", ("east", "shanghai"), "contradicted"),
        ("上海", "北京", ("north", "beijing"), "contradicted"),
        ("Atlantis", "shanghai", ("east", "shanghai"), "contradicted"),
        ("east", "Xanadu", ("east", "unknown"), "unrecognised"),
        ("west", "unknown", ("unknown", "unknown"), "unrecognised"),
        ("unknown", "浙江", ("east", "unknown"), "unrecognised"),
        ("unknown", "南京西路", ("unknown", "unknown"), "unrecognised"),
        ("unknown", "朝阳区", ("unknown", "unknown"), "unrecognised"),
    ],
)
def test_what_does_not_fit_is_told_with_its_words(
    region: str, city: str, expected: tuple[str, str], finding: Finding
) -> None:
    found = place(region, city, HERE)
    assert ((found.region, found.city), found.finding) == (expected, finding)
    assert [each for each in (found.told.region, found.told.city) if each] == [
        each for each in (region, city) if each != "unknown"
    ]


@given(st.text(max_size=64), st.text(max_size=64))
def test_nothing_ever_becomes_a_new_code(region: str, city: str) -> None:
    found = place(region, city, HERE)
    assert found.city == "unknown" or HERE.get("city", found.city)
    assert found.region == "unknown" or HERE.get("region", found.region)
    known = HERE.get("city", found.city)
    assert known is None or HERE.region_of(known) == found.region


def test_every_name_of_every_city_in_every_form_is_that_city() -> None:
    for city in CITIES:
        region = HERE.region_of(city)
        names = [city.zh, city.zh + "市", TRADITIONAL.convert(city.zh), city.code, city.code.upper()]
        for told in (*names, city.en.upper(), *city.also):
            found = place(str(region), told, HERE)
            assert (found.region, found.city) == (region, city.code), told


def test_traditional_characters_are_the_simplified_ones() -> None:
    for each in shipped():
        for name in (each.zh, *each.also):
            assert fold(TRADITIONAL.convert(name)) == fold(name)


def test_the_shipped_places_are_whole() -> None:
    assert (len(HERE.of("region")), len(HERE.of("province"))) == (10, 34)
    assert len(HERE.of("city")) > 340
    assert max(Counter((each.kind, each.code) for each in shipped()).values()) == 1
    assert [each for each in shipped() if HERE.region_of(each) is None] == []


def test_an_organisations_own_places_stand_before_the_shipped_ones() -> None:
    own = [
        Place("jiangsu", "region", None, "江苏大区", "Jiangsu"),
        Place("West", "region", None, "西区", "West"),
        Place("Plant7", "city", "West", "七厂", "Plant 7"),
        Place("henan", "province", "south", "河南", "Henan"),
    ]
    theirs = Catalogue((*shipped(), *own))
    assert place("unknown", "苏州", theirs).region == "jiangsu"
    assert (place("West", "Plant7", theirs).region, place("西区", "七厂", theirs).city) == ("West", "Plant7")
    assert place("unknown", "郑州", theirs).region == "south"


def test_blanks_marks_and_width_do_not_count() -> None:
    assert fold(" Xi’an－Shì ") == fold("xianshi")
