"""All five services in one process; the only module that knows them all."""
