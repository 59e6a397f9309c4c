"""The product register: serial numbers, warranty, contracts."""

from shared.db.script import execute_script

revision = "intake_0016"
down_revision = "intake_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE device (
            id uuid PRIMARY KEY,
            serial text NOT NULL UNIQUE,
            model text NOT NULL,
            product_line text,
            customer_id uuid REFERENCES customer,
            order_ref text,
            purchased_on date,
            warranty_months integer CHECK (warranty_months BETWEEN 0 AND 600),
            extended_until date,
            exclusions jsonb NOT NULL,
            updated_at timestamptz NOT NULL
        );
        CREATE INDEX device_customer ON device (customer_id) WHERE customer_id IS NOT NULL;
        CREATE TABLE contract (
            id uuid PRIMARY KEY,
            number text NOT NULL UNIQUE,
            customer_id uuid NOT NULL REFERENCES customer,
            device_id uuid REFERENCES device,
            starts_on date NOT NULL,
            ends_on date NOT NULL,
            by text NOT NULL,
            CHECK (starts_on <= ends_on)
        );
        CREATE INDEX contract_customer ON contract (customer_id);
        CREATE INDEX contract_ends ON contract (ends_on);
        CREATE TABLE request_device (
            request_id uuid PRIMARY KEY REFERENCES request,
            device_id uuid NOT NULL REFERENCES device
        );
        """
    )
