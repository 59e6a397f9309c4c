"""What a text can be found by (decision 23)."""

from hypothesis import given
from hypothesis import strategies as st

from intake.search.bigrams import LONGEST_WORD, grams


def test_neighbouring_characters_and_whole_words() -> None:
    assert grams("空调漏水, Model AM12!") == sorted(["空调", "调漏", "漏水", "model", "am12"])


def test_a_word_of_two_characters_is_found_in_a_sentence() -> None:
    assert set(grams("漏水")) <= set(grams("客厅的空调从昨天起漏水，不制冷。"))


def test_width_case_and_traditional_characters_are_one() -> None:
    assert grams("ＡＭ１２ 空調維修") == grams("am12 空调维修")


def test_punctuation_parts_and_says_nothing() -> None:
    assert grams("空调。漏水") == ["漏水", "空调"]
    assert grams("…!?，") == []


def test_a_character_alone_is_kept() -> None:
    assert grams("水") == ["水"]


def test_mixed_scripts_part() -> None:
    assert grams("型号X200坏了") == sorted(["型号", "x200", "坏了"])


@given(st.text(), st.text())
def test_what_is_found_alone_is_found_beside_other_text(one: str, other: str) -> None:
    assert set(grams(one)) <= set(grams(f"{other}\n{one}"))
    assert all(0 < len(each) <= LONGEST_WORD for each in grams(one))
