"""Photos of the work and signatures."""

from shared.db.script import execute_script

revision = "dispatch_0009"
down_revision = "dispatch_0008"
branch_labels = None
depends_on = None

_EVIDENCE = """
CREATE TABLE photo (
    id uuid PRIMARY KEY,
    person text NOT NULL,
    sent_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('before', 'after', 'part', 'name_plate', 'other')),
    caption text NOT NULL,
    taken_at timestamptz NOT NULL,
    device_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    width integer NOT NULL CHECK (width > 0),
    height integer NOT NULL CHECK (height > 0),
    size integer NOT NULL CHECK (size > 0),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    content bytea,
    thumbnail bytea,
    CHECK ((content IS NULL) = (thumbnail IS NULL)),
    UNIQUE (person, sent_id)
);
ALTER TABLE photo ALTER COLUMN content SET STORAGE EXTERNAL, ALTER COLUMN thumbnail SET STORAGE EXTERNAL;
CREATE INDEX photo_ticket ON photo (ticket_id, taken_at);
COMMENT ON TABLE photo IS
    'Photos of the work without anything but their pixels; of erased customers without those.';

CREATE TABLE signature (
    id uuid PRIMARY KEY,
    person text NOT NULL,
    sent_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    signed_version bigint NOT NULL,
    version bigint NOT NULL,
    signer text NOT NULL,
    work_note text NOT NULL,
    strokes jsonb NOT NULL,
    signed_at timestamptz NOT NULL,
    device_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    UNIQUE (person, sent_id)
);
CREATE INDEX signature_ticket ON signature (ticket_id, signed_at);
COMMENT ON TABLE signature IS 'Who signed for what; of erased customers only that somebody did.';
REVOKE DELETE ON photo, signature FROM {role};
"""


def upgrade() -> None:
    execute_script(_EVIDENCE)
