"""One file per provider; each holds a `channel`."""
