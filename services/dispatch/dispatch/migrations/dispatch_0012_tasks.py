"""What other departments are asked for on tickets."""

from shared.db.script import execute_script

revision = "dispatch_0012"
down_revision = "dispatch_0011"
branch_labels = None
depends_on = None

# Old code imports organisations without departments and leaves those that are there as they are.
_TASKS = """
ALTER TABLE organisation ADD departments jsonb NOT NULL DEFAULT '[]';

CREATE TABLE department_task (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL CHECK (episode >= 1),
    department text NOT NULL,
    what text NOT NULL,
    needed_by timestamptz NOT NULL,
    blocking boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'accepted', 'done', 'declined', 'withdrawn')),
    owner_id uuid NOT NULL REFERENCES person,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    said text NOT NULL,
    changed_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version >= 1)
);
CREATE INDEX department_task_ticket ON department_task (ticket_id, id);
CREATE INDEX department_task_open ON department_task (department, needed_by, id)
    WHERE state IN ('asked', 'accepted');
CREATE INDEX department_task_owner ON department_task (owner_id) WHERE state IN ('asked', 'accepted');
COMMENT ON TABLE department_task IS
    'What other departments are asked for on tickets: each with one who answers for it, always.';

CREATE TABLE department_task_line (
    id uuid PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES department_task,
    at timestamptz NOT NULL,
    what text NOT NULL,
    by text,
    owner_id uuid NOT NULL REFERENCES person,
    said text NOT NULL
);
CREATE INDEX department_task_line_task ON department_task_line (task_id, id);
REVOKE DELETE ON department_task, department_task_line FROM {role};
"""


def upgrade() -> None:
    execute_script(_TASKS)
