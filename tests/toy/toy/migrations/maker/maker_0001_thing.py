"""Things, by the key their maker gave them."""

from shared.db.script import execute_script

revision = "maker_0001"
down_revision = None
branch_labels = ("maker",)
depends_on = None


def upgrade() -> None:
    execute_script("CREATE TABLE thing (id uuid PRIMARY KEY, key text NOT NULL, amount integer NOT NULL)")
