"""Real PostgreSQL and real RabbitMQ without containers, for development, tests and the all-in-one.

    async with local_servers(Path(".aftercare")) as servers:
        run(servers.postgres_url, servers.rabbitmq_url)

`postgres` · `rabbitmq`     the two servers: start, stop, kill, addresses      `server` what they share
`keeper` · `leash`          one process: restarted when it dies, dead when its parent is
`install`                   finds programs, installs Debian's packages where it may (`python -m localservers install`)
`postgres_programs`, `definitions`, `folders`, `loopback`    binaries · broker users and rights · locks, secrets · ports

Servers named in the environment win: AFTERCARE_ADMIN_DATABASE_URL, AFTERCARE_ADMIN_AMQP_URL.
"""

from localservers.install import ProgramMissing as ProgramMissing
from localservers.keeper import ServerFailed as ServerFailed
from localservers.postgres import PostgresServer as PostgresServer
from localservers.rabbitmq import RabbitServer as RabbitServer
from localservers.servers import Servers as Servers
from localservers.servers import local_servers as local_servers
