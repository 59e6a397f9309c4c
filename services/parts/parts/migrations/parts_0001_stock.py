"""Catalogue, warehouses, the ledger and its balances, requisitions."""

from shared.db.script import execute_script

revision = "parts_0001"
down_revision = None
branch_labels = ("parts",)
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE part (
            part_number text PRIMARY KEY,
            name_en text NOT NULL,
            name_zh text NOT NULL
        );
        CREATE TABLE warehouse (
            code text PRIMARY KEY,
            centre text NOT NULL,
            -- Deferrable: two warehouses may swap their centres in one statement.
            CONSTRAINT one_warehouse_per_centre UNIQUE (centre) DEFERRABLE
        );
        CREATE TABLE movement (
            id uuid PRIMARY KEY,
            warehouse text NOT NULL REFERENCES warehouse,
            part_number text NOT NULL REFERENCES part,
            kind text NOT NULL CHECK (kind IN ('received', 'used')),
            quantity bigint NOT NULL CHECK (quantity <> 0),
            reference text NOT NULL,
            CONSTRAINT in_positive_out_negative CHECK ((kind = 'received') = (quantity > 0))
        );
        CREATE INDEX movement_shelf ON movement (warehouse, part_number);
        CREATE TABLE balance (
            warehouse text NOT NULL REFERENCES warehouse,
            part_number text NOT NULL REFERENCES part,
            on_hand bigint NOT NULL CHECK (on_hand >= 0),
            reserved bigint NOT NULL CHECK (reserved >= 0),
            version bigint NOT NULL,
            PRIMARY KEY (warehouse, part_number),
            CONSTRAINT nothing_promised_twice CHECK (reserved <= on_hand)
        );
        CREATE TABLE requisition (
            id uuid PRIMARY KEY,
            ticket_id uuid NOT NULL,
            ticket_version bigint NOT NULL,
            engineer_id uuid NOT NULL,
            warehouse text REFERENCES warehouse,
            state text NOT NULL CHECK (state IN ('held', 'short', 'used', 'released')),
            held_until timestamptz,
            version integer NOT NULL CHECK (version > 0),
            CONSTRAINT every_hold_ends CHECK ((state = 'held') = (held_until IS NOT NULL)),
            CONSTRAINT held_somewhere CHECK (state NOT IN ('held', 'used') OR warehouse IS NOT NULL)
        );
        CREATE INDEX requisition_ticket ON requisition (ticket_id);
        CREATE INDEX requisition_expiring ON requisition (held_until) WHERE state = 'held';
        CREATE INDEX requisition_open ON requisition (id) WHERE state IN ('held', 'short');
        CREATE TABLE requisition_line (
            requisition_id uuid NOT NULL REFERENCES requisition,
            part_number text NOT NULL,
            quantity bigint NOT NULL CHECK (quantity > 0),
            PRIMARY KEY (requisition_id, part_number)
        );
        CREATE TABLE closed_ticket (
            ticket_id uuid PRIMARY KEY,
            version bigint NOT NULL
        );
        REVOKE UPDATE, DELETE ON movement, requisition_line FROM {role};
        """
    )
