"""The whole service on one screen."""

from shared.process.service import Service

service = Service("sla")
