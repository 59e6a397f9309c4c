"""The regions, provinces and cities that are known here, by every name they have. Pure, but for the file.

The shipped ones are in `china.txt`; an organisation adds its own, or puts them in place of shipped ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

Kind = Literal["region", "province", "city"]

# What is written in traditional characters in the names of the catalogue, and how it is written there.
_SIMPLER: Final = str.maketrans(
    "瀋滬閩粵瓊衞東臨麗義烏樂鄉雲亞倫餘蘭關興內岡農涼則華衛廈雙臺呂吳鹹園壩頭婁寧寶賓爾崗島巖嶺嶽峽峯廣莊慶開張彥懷揚撫無晉來棗樹畢漢滄瀘澤濟溫灣濱濰潛煙瑪鹽盤紅納紹綏綿肅節蕪蘆蘇荊營薩許貝貢貴賀資贛邊遼達遷運遠連鄭鄲裏欽鐵銅銀錫錦鎮長門陽隴陝隨頂順饒馬駐魯雞鴨鶴鷹黃齊龍區維壯縣國",
    "沈沪闽粤琼卫东临丽义乌乐乡云亚伦余兰关兴内冈农凉则华卫厦双台吕吴咸园坝头娄宁宝宾尔岗岛岩岭岳峡峰广庄庆开张彦怀扬抚无晋来枣树毕汉沧泸泽济温湾滨潍潜烟玛盐盘红纳绍绥绵肃节芜芦苏荆营萨许贝贡贵贺资赣边辽达迁运远连郑郸里钦铁铜银锡锦镇长门阳陇陕随顶顺饶马驻鲁鸡鸭鹤鹰黄齐龙区维壮县国",
)
_PEOPLES: Final = (
    "维吾尔|哈萨克|柯尔克孜|土家族|布依族|朝鲜族|蒙古族|哈尼族|景颇族|傈僳族|蒙古|藏族|羌族|彝族"
    "|回族|壮族|苗族|侗族|傣族|白族|黎族"
)
_AUTONOMOUS: Final = re.compile(rf"(?:{_PEOPLES})*(?:自治[区州]|族自治区|特别行政区)$")
_AROUND: Final = (
    re.compile(r"^(?:中华人民共和国|中国|china|prc)"),
    re.compile(r"(?:china|prc|中国)$"),
    re.compile(r"(?:autonomousregion|municipality|province|prefecture|region|area|city|sheng|sar|shi)$"),
    _AUTONOMOUS,
    re.compile(r"(?:地区|大区|省|市|盟|州|片区)$"),
)
_OF_REGIONS: Final = re.compile(r"区$")  # 朝阳区 is a district of Beijing, and Chaoyang a city elsewhere


@dataclass(frozen=True, slots=True)
class Place:
    """One place; a city lies `within` a province or a region, a province within a region."""

    code: str
    kind: Kind
    within: str | None
    zh: str
    en: str
    also: tuple[str, ...] = ()


def fold(text: str) -> str:
    """What is left of a name when width, case, accents, characters' form, blanks and marks do not count."""
    simple = unicodedata.normalize("NFKC", text).translate(_SIMPLER).casefold()
    return "".join(each for each in unicodedata.normalize("NFD", simple) if each.isalnum())


def variants(kind: Kind, folded: str) -> Iterator[str]:
    """The name, then with less and less around it that names have or have not (市, province, 中国…)."""
    yield folded
    if kind == "region" and (shorter := _OF_REGIONS.sub("", folded)):
        yield shorter
    for pattern in _AROUND:
        shorter = pattern.sub("", folded)
        if shorter and shorter != folded:
            yield from variants(kind, shorter)
            return


class Catalogue:
    """All places by code and by name; of two with one kind and code the later counts."""

    def __init__(self, places: Iterable[Place], version: int = 0) -> None:
        self.version = version
        self._places: dict[tuple[Kind, str], Place] = {(each.kind, each.code): each for each in places}
        self._named: dict[tuple[Kind, str], list[Place]] = {}
        for each in self._places.values():
            names = {fold(name) for name in (each.code, each.zh, each.en, *each.also)} - {""}
            for name in sorted(names):
                self._named.setdefault((each.kind, name), []).append(each)

    def get(self, kind: Kind, code: str) -> Place | None:
        return self._places.get((kind, code))

    def of(self, kind: Kind) -> list[Place]:
        return [each for each in self._places.values() if each.kind == kind]

    def named(self, kind: Kind, text: str) -> list[Place]:
        """Those of a kind that `text` can mean; several where they share a name."""
        folded = fold(text)
        found = (self._named.get((kind, each)) for each in variants(kind, folded) if folded)
        return next((each for each in found if each), [])

    def region_of(self, place: Place) -> str | None:
        """The region that a place is in; one that bears a province's code has the cities of that province."""
        if place.kind == "region":
            return place.code
        if place.within is None:
            return None
        if place.kind == "city":
            nearest = self.get("region", place.within) or self.get("province", place.within)
            return self.region_of(nearest) if nearest else None
        own = self.get("region", place.code)
        return own.code if own else place.within

    def province_of(self, city: Place) -> str | None:
        found = self.get("province", city.within) if city.within else None
        return found.code if found else None

    def only_city(self, province: str) -> Place | None:
        """The city of a municipality, which is its province."""
        city = self.get("city", province)
        alone = [each.code for each in self.of("city") if each.within == province] == [province]
        return city if alone else None


@cache
def shipped() -> tuple[Place, ...]:
    """The places of `china.txt`."""
    places: list[Place] = []
    also: dict[str, tuple[str, ...]] = {}
    region = ""
    for line in Path(__file__).with_name("china.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            region, *names = line.strip("[]").split(maxsplit=2)
            places += [_read(" ".join([region, *names]), "region", None)] if names else []
        elif region == "also":
            code, _, names_of_it = line.partition(":")
            also[code] = tuple(name.strip() for name in names_of_it.split(","))
        else:
            province, _, cities = line.partition(" > ")
            of = _read(province, "province", region)
            places += [of, *(_read(city, "city", of.code) for city in cities.split(", "))]
    return tuple(replace(each, also=also.get(each.code, ())) for each in places)


def _read(text: str, kind: Kind, within: str | None) -> Place:
    code, zh, *english = text.strip().split(maxsplit=2)
    plain = code.partition("-")[0]
    return Place(code, kind, within, zh, english[0] if english else plain.capitalize())
