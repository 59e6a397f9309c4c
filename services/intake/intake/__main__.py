from intake.app import service
from shared.process.run import run

run(service)
