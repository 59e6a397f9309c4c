from shared.process.start import start

start("parts")
