"""What is generated says what the services are."""

from __future__ import annotations

from pathlib import Path

from allinone import generated

ROOT = Path(__file__).parents[2]


def test_generated_files_are_current() -> None:
    assert generated.stale(ROOT) == [], "run `make map`"


def test_a_stale_file_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"{generated.BEGIN}\nnothing\n{generated.END}\n")
    assert tmp_path / "README.md" in generated.stale(tmp_path)
