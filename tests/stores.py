"""Places for stores of answers: files, and a PostgreSQL server of the tests' own on a free port."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from alarmnet.loop.store import AnswerStore

PASSWORD = "not-a-secret"
SETTINGS = ("fsync=off", "listen_addresses=127.0.0.1", "max_connections=60", "shared_buffers=16MB")


def _folder_of_programs() -> Path | None:
    """Where initdb is: on the path, or where Debian has it."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an empty database of a server that runs while the tests do."""
    programs = _folder_of_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL does not run as root
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if user:
            shutil.chown(folder, user)
            shutil.chown(folder / "password", user)

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", f"{folder}/data", *arguments]
            with (folder / "log").open("a") as log:
                subprocess.run(command, check=True, user=user, cwd=folder, stdout=log, stderr=log)

        run("initdb", "-U", "tests", "--auth=scram-sha-256", f"--pwfile={folder}/password", "--no-sync")
        port = _free_port()
        settings = " ".join(f"-c {setting}" for setting in SETTINGS)
        run("pg_ctl", "-w", "-o", f"-p {port} -k {folder} {settings}", "start")
        try:
            yield f"postgresql://tests:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of the test's own can be: a file, or a schema on the tests' server."""
    if request.param == "sqlite":
        return str(tmp_path / "answers.sqlite")
    address: str = request.getfixturevalue("postgres_url")
    schema = f"s{uuid.uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    return f"{address}?options=-csearch_path%3D{schema}"


@pytest.fixture
def store(place: str) -> Iterator[AnswerStore]:
    with AnswerStore.open(place) as opened:
        yield opened
