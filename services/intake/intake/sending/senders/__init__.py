"""One file per provider, see `intake.sending.contract`."""
