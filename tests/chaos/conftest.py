import pytest


@pytest.fixture(scope="session")
def postgres_url() -> str:
    return "postgresql://postgres@127.0.0.1:54961/postgres"
