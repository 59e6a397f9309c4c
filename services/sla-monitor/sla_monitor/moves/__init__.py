"""Running subjects that are moved to another policy version on purpose, with a look at what would change.

rules    what differs between two ways of judging the same history
store    who is moved by which criteria, and how far it has come
actions  look ahead, begin, and go on batch by batch
"""
