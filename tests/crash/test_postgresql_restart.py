"""PostgreSQL goes away and comes back while a server with several clients writes.

Callers see DATABASE_ERROR or STORAGE_BUSY and nothing else, and repeat the set under its id. In the end every set of
every client is there once and whole, and the server has not been restarted. What a lost connection leaves open, whether the
set it was committing is stored, the id answers.
"""

from pathlib import Path

from tests.crash.clients import Load
from tests.crash.cluster import running_cluster
from tests.support.servers import running_server

SETS = 10  # of each client, before every restart and after the last


def test_a_restart_of_postgresql_under_load_loses_nothing(tmp_path: Path) -> None:
    with (
        running_cluster() as cluster,
        running_server(cluster.url, folder=tmp_path, AUTO_MIGRATE="1") as base,
        Load(base) as load,
    ):
        for mode in ("immediate", "fast", "immediate"):
            load.wait_for_progress(SETS)
            cluster.restart(mode)
        load.wait_for_progress(SETS)
        load.end()

        assert load.outcomes <= {(200, None), (503, "DATABASE_ERROR"), (503, "STORAGE_BUSY")}
        assert load.messages == {"The database does not answer."}
        load.assert_each_set_is_there_once(cluster.url)
