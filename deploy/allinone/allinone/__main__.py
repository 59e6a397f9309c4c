from allinone.services import SERVICES
from shared.process.run import run

run(*SERVICES)
