"""Free or charged, and why (R76, R77)."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.devices.links import device_of, token_of
from intake.devices.rules import Coverage, Promised, Term, coverage, months_after
from shared.settings import Settings

BOUGHT = date(2024, 2, 29)
TWO_YEARS = Promised(BOUGHT, 24, exclusions=("misuse",))


@pytest.mark.parametrize(
    ("promised", "contracts", "on", "cause", "expected"),
    [
        (TWO_YEARS, [], date(2026, 2, 28), None, Coverage("in_warranty", "warranty", date(2026, 2, 28))),
        (TWO_YEARS, [], date(2026, 3, 1), None, Coverage("out_of_warranty", "expired", date(2026, 2, 28))),
        (TWO_YEARS, [], date(2025, 1, 1), "misuse", Coverage("out_of_warranty", "excluded")),
        (TWO_YEARS, [], date(2025, 1, 1), "leak", Coverage("in_warranty", "warranty", date(2026, 2, 28))),
        (TWO_YEARS, [], date(2024, 2, 28), None, Coverage("unknown", "before_purchase")),
        (TWO_YEARS, [Term(date(2026, 1, 1), date(2026, 12, 31))], date(2026, 12, 31), "misuse",
         Coverage("in_warranty", "contract", date(2026, 12, 31))),
        (TWO_YEARS, [Term(date(2026, 1, 1), date(2026, 5, 1))], date(2026, 5, 2), None,
         Coverage("out_of_warranty", "expired", date(2026, 2, 28))),
        (Promised(BOUGHT, 12, date(2027, 1, 1)), [], date(2027, 1, 1), None,
         Coverage("in_warranty", "extended", date(2027, 1, 1))),
        (Promised(None, 12), [], date(2026, 1, 1), None, Coverage("unknown", "no_purchase_date")),
        (Promised(BOUGHT, None), [], date(2026, 1, 1), None, Coverage("unknown", "no_warranty_term")),
    ],
)  # fmt: skip
def test_a_decision_has_its_reason_and_its_last_day(
    promised: Promised, contracts: list[Term], on: date, cause: str | None, expected: Coverage
) -> None:
    assert coverage(promised, contracts, on, cause) == expected


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 600), st.integers(-40, 40))
def test_the_last_day_is_in_and_the_next_is_out(bought: date, months: int, away: int) -> None:
    ends = months_after(bought, months)
    on = ends + timedelta(days=away)
    expected = "unknown" if on < bought else "in_warranty" if on <= ends else "out_of_warranty"
    assert coverage(Promised(bought, months), [], on).state == expected


def test_a_label_names_its_product_and_cannot_be_made_up() -> None:
    settings = Settings(database_url="postgresql://x@x/x", bus="memory")
    id = UUID(int=1 << 127)
    token = token_of(id, settings)
    assert device_of(token, settings) == id
    forged = token_of(UUID(int=1 << 126), settings)[:21] + token[21:]
    assert [device_of(each, settings) for each in (forged, token[:-1], "", "x" * 43, "é" * 43)] == [None] * 5
