"""Customers, requests, triage, messages, calls."""

from shared.db.script import execute_script

revision = "intake_0001"
down_revision = None
branch_labels = ("intake",)
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE customer (
            id uuid PRIMARY KEY,
            name text NOT NULL,
            level text NOT NULL CHECK (level IN ('standard', 'vip'))
        );
        CREATE TABLE identity (
            kind text NOT NULL CHECK (kind IN ('email', 'phone', 'external')),
            value text NOT NULL,
            customer_id uuid NOT NULL REFERENCES customer,
            PRIMARY KEY (kind, value)
        );
        CREATE INDEX identity_customer ON identity (customer_id);
        CREATE TABLE request (
            id uuid PRIMARY KEY,
            channel text NOT NULL,
            account text NOT NULL,
            external_id text NOT NULL,
            customer_id uuid NOT NULL REFERENCES customer,
            kind text NOT NULL,
            severity text NOT NULL CHECK (severity IN ('general', 'important', 'urgent')),
            region text NOT NULL,
            city text NOT NULL,
            product_line text,
            title text NOT NULL,
            received_at timestamptz NOT NULL,
            call_id uuid,
            ticket_id uuid,
            answered_at timestamptz,
            version integer NOT NULL,
            CONSTRAINT same_thing_once UNIQUE (channel, account, external_id)
        );
        CREATE INDEX request_without_ticket ON request (received_at) WHERE ticket_id IS NULL;
        CREATE TABLE triage (
            id uuid PRIMARY KEY,
            request_id uuid NOT NULL REFERENCES request,
            kind text NOT NULL,
            severity text NOT NULL,
            reasons jsonb NOT NULL,
            by text
        );
        CREATE INDEX triage_request ON triage (request_id);
        CREATE TABLE message (
            id uuid PRIMARY KEY,
            request_id uuid NOT NULL REFERENCES request,
            direction text NOT NULL CHECK (direction IN ('in', 'out')),
            channel text NOT NULL,
            external_id text,
            author text NOT NULL,
            template text,
            link text,
            text text NOT NULL,
            state text NOT NULL
                CHECK (state IN ('received', 'waiting', 'sending', 'sent', 'failed', 'unknown')),
            cause uuid UNIQUE
        );
        CREATE INDEX message_request ON message (request_id, id);
        CREATE UNIQUE INDEX message_once ON message (external_id, request_id) WHERE external_id IS NOT NULL;
        CREATE TABLE source (
            message_id uuid PRIMARY KEY REFERENCES message,
            content_type text NOT NULL,
            body bytea NOT NULL
        );
        CREATE TABLE set_aside (
            id uuid PRIMARY KEY,
            channel text NOT NULL,
            account text NOT NULL,
            external_id text NOT NULL,
            reason text NOT NULL,
            body bytea NOT NULL,
            UNIQUE (channel, account, external_id)
        );
        CREATE TABLE call (
            id uuid PRIMARY KEY,
            account text NOT NULL,
            external_id text NOT NULL,
            region text NOT NULL,
            request_id uuid REFERENCES request,
            state text NOT NULL
                CHECK (state IN ('ringing', 'ended', 'busy', 'missed', 'answered', 'returned')),
            rang_at timestamptz NOT NULL,
            version integer NOT NULL,
            UNIQUE (account, external_id)
        );
        CREATE INDEX call_ringing ON call (rang_at) WHERE state = 'ringing';
        CREATE TABLE call_event (
            call_id uuid NOT NULL REFERENCES call,
            kind text NOT NULL,
            happened_at timestamptz NOT NULL,
            PRIMARY KEY (call_id, kind)
        );
        REVOKE UPDATE, DELETE ON source, triage, set_aside, call_event FROM {role};
        """
    )
