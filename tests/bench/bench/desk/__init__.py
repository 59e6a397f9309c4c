"""django-helpdesk as its users run it: an environment and a database of its own, gunicorn, one worker.

served    installs, migrates, starts it, and posts tickets
settings  Django's; with urls and start.json (one member of staff, one queue) read by that environment alone
"""
