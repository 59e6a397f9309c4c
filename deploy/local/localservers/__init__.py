"""Real PostgreSQL and real RabbitMQ without containers, for development, tests and the all-in-one.

    async with local_servers(Path(".aftercare")) as servers:
        run(servers.postgres_url, servers.rabbitmq_url)

postgres, rabbitmq      the two servers: start, stop, kill, addresses (server: what they share)
keeper, leash           one process: started again when it dies, dead when its parent is
install                 finds programs, or installs their Debian packages: `python -m localservers install`
postgres_programs       where PostgreSQL's programs are        definitions     the broker's users and rights
folders                 locks and secrets                      loopback        free ports, is anybody there

Servers named in the environment win: AFTERCARE_ADMIN_DATABASE_URL, AFTERCARE_ADMIN_AMQP_URL.
"""

from localservers.install import ProgramMissing as ProgramMissing
from localservers.keeper import ServerFailed as ServerFailed
from localservers.postgres import PostgresServer as PostgresServer
from localservers.rabbitmq import RabbitServer as RabbitServer
from localservers.servers import Servers as Servers
from localservers.servers import local_servers as local_servers
