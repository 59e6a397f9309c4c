from allinone.packages import PACKAGES
from shared.process.start import start

start(*PACKAGES.values())
