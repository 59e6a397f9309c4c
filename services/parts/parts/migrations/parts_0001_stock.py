"""Catalogue, warehouses, the ledger and its balances, requisitions."""

from shared.db.script import execute_script

revision = "parts_0001"
down_revision = None
branch_labels = ("parts",)
depends_on = "core_0001"


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
            centre text NOT NULL UNIQUE
        );
        CREATE TABLE movement (
            id uuid PRIMARY KEY,
            warehouse text NOT NULL REFERENCES warehouse,
            part_number text NOT NULL REFERENCES part,
            kind text NOT NULL CHECK (kind IN ('received', 'used')),
            quantity integer NOT NULL CHECK (quantity <> 0),
            reference text NOT NULL
        );
        CREATE INDEX movement_part ON movement (part_number, warehouse);
        CREATE TABLE balance (
            warehouse text NOT NULL REFERENCES warehouse,
            part_number text NOT NULL REFERENCES part,
            on_hand integer NOT NULL CHECK (on_hand >= 0),
            reserved integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
            PRIMARY KEY (warehouse, part_number),
            CONSTRAINT nothing_promised_twice CHECK (reserved <= on_hand)
        );
        CREATE TABLE requisition (
            id uuid PRIMARY KEY,
            ticket_id uuid NOT NULL,
            engineer_id uuid NOT NULL,
            warehouse text REFERENCES warehouse,
            state text NOT NULL CHECK (state IN ('held', 'short', 'used', 'released')),
            held_until timestamptz,
            version integer NOT NULL,
            CHECK ((state = 'held') = (held_until IS NOT NULL))
        );
        CREATE INDEX requisition_ticket ON requisition (ticket_id);
        CREATE INDEX requisition_expiring ON requisition (held_until) WHERE state = 'held';
        CREATE TABLE requisition_line (
            requisition_id uuid NOT NULL REFERENCES requisition,
            part_number text NOT NULL,
            quantity integer NOT NULL CHECK (quantity > 0),
            PRIMARY KEY (requisition_id, part_number)
        );
        REVOKE UPDATE, DELETE ON movement FROM {role};
        """
    )
