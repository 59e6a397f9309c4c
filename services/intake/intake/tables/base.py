"""What the tables of all features share."""

from sqlalchemy import DateTime, MetaData

metadata = MetaData()
moment = DateTime(timezone=True)
