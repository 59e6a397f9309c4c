"""One PostgreSQL database, one schema per service, transactions opened at the edge.

engine     Database: connections of one service, `transact` with bounded retries
tx         Tx: what everything below the edge takes first
tables     the tables every service has: event_log, outbox, inbox, parked, dead_letter, …
rows       multi-row writes, sorted by key
locks      subject locks
partitions creation and retention of the partitioned tables
provision  database, roles and schemas (administrator)
migrate    migrations, a step of its own (owner)
"""

from shared.db.engine import Database, retryable
from shared.db.locks import lock_subjects
from shared.db.rows import insert_rows, insert_together
from shared.db.tx import Tx

__all__ = ["Database", "Tx", "insert_rows", "insert_together", "lock_subjects", "retryable"]
