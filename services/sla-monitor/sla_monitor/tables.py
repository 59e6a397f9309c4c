"""Where the features' tables are gathered."""

from sqlalchemy import MetaData

metadata = MetaData()
