from shared.process.run import run
from sla_monitor.app import service

run(service)
