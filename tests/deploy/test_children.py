"""What the processes that serve are told."""

from __future__ import annotations

from allinone.children import serving


def test_who_serves_cannot_change_schemas_or_rights() -> None:
    told = serving(
        {
            "PATH": "/usr/bin",
            "AFTERCARE_ADMIN_DATABASE_URL": "postgresql://postgres@127.0.0.1/postgres",
            "AFTERCARE_ADMIN_AMQP_URL": "amqp://admin@127.0.0.1/",
            "AFTERCARE_PARTS_OWNER_DATABASE_URL": "postgresql://parts_owner@127.0.0.1/aftercare",
            "AFTERCARE_PARTS_DATABASE_URL": "postgresql://parts@127.0.0.1/aftercare",
            "AFTERCARE_SECRET": "s",
        }
    )
    assert set(told) == {"PATH", "AFTERCARE_PARTS_DATABASE_URL", "AFTERCARE_SECRET"}
