"""Settings are checked as a whole before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import WrongSettings, load

URL = "postgresql://intake:secret@db/aftercare"
SOUND = {"AFTERCARE_DATABASE_URL": URL, "AFTERCARE_AMQP_URL": "amqp://intake:secret@broker/"}
PRODUCTION = SOUND | {
    "AFTERCARE_ENVIRONMENT": "production",
    "AFTERCARE_SECRET": "x" * 32,
    "AFTERCARE_PUBLIC_URL": "https://service.test",
}


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(WrongSettings) as raised:
        load("intake", environment)
    assert all(fault in str(raised.value) for fault in raised.value.faults)
    return raised.value.faults


def named(environment: dict[str, str]) -> list[str]:
    """The variables complained of."""
    return [fault.partition(":")[0] for fault in faults(environment)]


def test_two_addresses_are_enough() -> None:
    settings = load("intake", SOUND)
    assert (str(settings.database_url), settings.bus, settings.port) == (URL, "rabbitmq", 8000)


def test_the_memory_bus_needs_no_broker() -> None:
    assert load("intake", {"AFTERCARE_DATABASE_URL": URL, "AFTERCARE_BUS": "memory"}).amqp_url is None


def test_every_wrong_variable_is_named_at_once() -> None:
    assert named(
        {
            "AFTERCARE_DATABASE_URL": "somewhere",
            "AFTERCARE_PORT": "many",
            "AFTERCARE_LOG_LEVEL": "loud",
            "AFTERCARE_EVENT_LOG_DAYS": "7",
            "AFTERCARE_DATABSE_POOL": "5",
            "AFTERCARE_ENVIRONMENT": "production",
        }
    ) == [
        "AFTERCARE_DATABSE_POOL",
        "AFTERCARE_DATABASE_URL",
        "AFTERCARE_PORT",
        "AFTERCARE_LOG_LEVEL",
        "AFTERCARE_EVENT_LOG_DAYS",
        "AFTERCARE_AMQP_URL",
        "AFTERCARE_SECRET",
        "AFTERCARE_PUBLIC_URL",
    ]


def test_a_variable_is_named_once() -> None:
    assert named({"AFTERCARE_DATABASE_URL": URL, "AFTERCARE_AMQP_URL": "broker"}) == ["AFTERCARE_AMQP_URL"]


def test_a_misspelled_variable_is_told_the_right_one() -> None:
    assert faults(SOUND | {"AFTERCARE_PROT": "80"}) == [
        "AFTERCARE_PROT: unknown; did you mean AFTERCARE_PORT?"
    ]


def test_values_are_never_repeated() -> None:
    wrong = {"AFTERCARE_DATABASE_URL": "mysql://root:hunter2@db/x", "AFTERCARE_AMQP_URL": "hunter2"}
    assert not any("hunter2" in fault for fault in faults(wrong))


def test_variables_of_the_tools_and_of_others_are_left_alone() -> None:
    load("intake", SOUND | {"AFTERCARE_ADMIN_DATABASE_URL": "x", "AFTERCARE_CRASH_AT": "y", "PATH": "/bin"})


def test_a_service_may_differ_from_the_rest() -> None:
    environment = SOUND | {"AFTERCARE_DISPATCH_PORT": "8002", "AFTERCARE_PORT": "8001"}
    assert load("dispatch", environment).port == 8002
    assert load("intake", environment).port == 8001


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    settings = load("intake", {"AFTERCARE_INTAKE_DATABASE_URL_FILE": str(file), "AFTERCARE_BUS": "memory"})
    assert str(settings.database_url) == URL


def test_a_file_that_cannot_be_read_is_named() -> None:
    assert faults(SOUND | {"AFTERCARE_SECRET_FILE": "/nowhere/secret"}) == [
        "AFTERCARE_SECRET_FILE: /nowhere/secret cannot be read (No such file or directory)"
    ]


def test_production_takes_what_is_safe() -> None:
    assert load("intake", PRODUCTION).environment == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AFTERCARE_SECRET", "development-only-secret-of-no-value"),
        ("AFTERCARE_SECRET", "short"),
        ("AFTERCARE_PUBLIC_URL", "http://service.test"),
    ],
)
def test_production_refuses_what_is_not(name: str, value: str) -> None:
    assert named(PRODUCTION | {name: value}) == [name]


def test_production_refuses_to_be_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERCARE_CRASH_AT", "relay.claimed")
    assert named(PRODUCTION) == ["AFTERCARE_CRASH_AT"]


def test_a_secret_does_not_show() -> None:
    assert "x" * 32 not in repr(load("intake", PRODUCTION))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("intake", SOUND).port = 1  # type: ignore[misc]


def test_what_customers_are_told_to_call_must_be_a_number_and_an_address() -> None:
    """R135: both stand on a public page, as links."""
    good = {"AFTERCARE_CONTACT_PHONE": "+86 (400) 000-0000", "AFTERCARE_CONTACT_MAIL": "help@example.com"}
    assert load("sla", SOUND | good).contact_phone == good["AFTERCARE_CONTACT_PHONE"]
    wrong = {"AFTERCARE_CONTACT_PHONE": "call us!", "AFTERCARE_CONTACT_MAIL": "help at example"}
    assert named(SOUND | wrong) == ["AFTERCARE_CONTACT_PHONE", "AFTERCARE_CONTACT_MAIL"]
