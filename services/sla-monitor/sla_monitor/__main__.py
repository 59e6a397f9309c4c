from shared.process.start import start

start("sla_monitor")
