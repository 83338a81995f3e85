"""The workspace: one folder, or a database and an object store, that holds all that lasts."""

from __future__ import annotations

import getpass
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL

from luban.core.errors import InputError, NotFound
from luban.store.alerts import Alerts
from luban.store.approvals import Approvals
from luban.store.artifacts import Artifacts
from luban.store.audit import Audit
from luban.store.blobs import Blobs
from luban.store.database import Database
from luban.store.datasets import Datasets
from luban.store.deployments import Deployments
from luban.store.disk import writing_to
from luban.store.experiments import Experiments
from luban.store.keys import Keys
from luban.store.leases import Leases
from luban.store.lineage import Ancestry
from luban.store.migrate import upgrade
from luban.store.models import Models
from luban.store.notes import Notes
from luban.store.outcomes import Outcomes
from luban.store.policies import Policies
from luban.store.promotions import Promotions
from luban.store.reports import Reports
from luban.store.roles import Roles
from luban.store.runs import Runs
from luban.store.settings import Settings
from luban.store.signatures import Signatures
from luban.store.tokens import Tokens

if TYPE_CHECKING:
    from types import TracebackType

    from luban.store.labels import Labels
    from luban.store.predictions import Predictions

FOLDER = ".luban"
DATABASE = "luban.db"


class Workspace:
    """All that lasts: data sets, runs, models, deployments, predictions, labels, reports, the audit chain, and blobs.

    Any number of processes and threads may have it open and write at once.

    Parameters
    ----------
    root : Path
        The local folder.
    database : Database
    blobs : Blobs
    actor : str
        Who does what is done through this object.
    """

    def __init__(self, root: Path, database: Database, blobs: Blobs, actor: str) -> None:
        self.root = root
        self.actor = actor
        self.blobs = blobs
        self._database = database
        self.audit = Audit(database, actor)
        self.datasets = Datasets(database, blobs, actor)
        self.runs = Runs(database, actor)
        self.experiments = Experiments(database)
        self.artifacts = Artifacts(database, blobs)
        self.notes = Notes(database)
        self.models = Models(database, blobs, actor)
        self.lineage = Ancestry(database)
        self.signatures = Signatures(database, actor)
        self.keys = Keys(database, actor)
        self.settings = Settings(database, actor)
        self.deployments = Deployments(database, self.audit, actor)
        self.reports = Reports(database, blobs, actor)
        self.alerts = Alerts(database, actor)
        self.outcomes = Outcomes(database)
        self.leases = Leases(database)
        self.approvals = Approvals(database, actor)
        self.policies = Policies(database, actor)
        self.promotions = Promotions(database, actor)
        self.tokens = Tokens(database, actor)
        self.roles = Roles(database, actor)
        self._guest = False

    @classmethod
    def open(cls, location: str | Path | None = None, *, create: bool = True, actor: str | None = None) -> Workspace:
        """Open a workspace, and make it or bring its tables up to date where needed.

        Rows are in SQLite in the folder, or where ``LUBAN_STORE`` (``postgresql://...``) says; blobs in the
        folder, or where ``LUBAN_BLOBS`` (``s3://bucket/prefix``) says.

        Parameters
        ----------
        location : str or Path, optional
            Its folder. By default ``LUBAN_WORKSPACE``, else the nearest ``.luban`` here or in a folder
            above, else ``.luban`` here.
        create : bool
            Whether to make one where there is none; else `NotFound` is raised.
        actor : str, optional
            Who works in it; by default ``LUBAN_ACTOR`` or the user of the operating system.

        Raises
        ------
        Refused
            If a folder that has to be made cannot be.
        Unavailable
            If the database does not answer, or the disk is full.
        Conflict
            If a newer version of Luban wrote it.
        """
        root = find(location)
        store = os.environ.get("LUBAN_STORE") or URL.create("sqlite", database=str(root / DATABASE))
        if not create and not root.is_dir():
            raise NotFound("there is no workspace here", seen=str(root), remedy="Import data or fit a model first.")
        database = Database(store)
        if database.dialect == "sqlite":
            _make(root)
        upgrade(database)
        _make(root)  # not before a server of databases has answered: a failure leaves nothing behind
        blobs = Blobs(os.environ.get("LUBAN_BLOBS") or root / "blobs", cache=root / "cache")
        return cls(root, database, blobs, actor or _user())

    @property
    def store(self) -> str:
        """The kind of database that holds the rows: ``"sqlite"`` or ``"postgresql"``."""
        return self._database.dialect

    def stamp(self) -> tuple[int, int] | None:
        """Return what is another after a write to the rows, be it by another process; None where only asking tells."""
        return self._database.stamp()

    @cached_property
    def predictions(self) -> Predictions:
        """The prediction log (made when asked for: it needs pyarrow, which most commands do not)."""
        from luban.store.predictions import Predictions

        return Predictions(self._database, self.blobs, self.actor)

    @cached_property
    def labels(self) -> Labels:
        """What turned out to be true of predictions."""
        from luban.store.labels import Labels

        return Labels(self._database, self.blobs, self.actor, self.predictions)

    def scratch(self, run: str) -> Path:
        """Return the local folder, made where needed, in which a run keeps what lets it go on after a kill."""
        if not run.isalnum():
            raise InputError("this is no identifier of a run", seen=repr(run))
        folder = self.root / "scratch" / run
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def acting(self, actor: str) -> Workspace:
        """Return this workspace as somebody else works in it; closing that leaves the database open."""
        guest = Workspace(self.root, self._database, self.blobs, actor)
        guest._guest = True
        return guest

    def close(self) -> None:
        """Write what waits and close the database."""
        try:
            self.runs.close()
        finally:
            if not self._guest:
                self._database.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def find(location: str | Path | None = None) -> Path:
    """Return the folder of the workspace that is meant, which need not exist."""
    if location is None:
        location = os.environ.get("LUBAN_WORKSPACE") or None
    if location is not None:
        return Path(location).expanduser().absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder / FOLDER
    return here / FOLDER


def _make(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists() and not root.is_dir():  # another process may have made the folder since the first look
        raise InputError("the workspace must be a folder", seen=str(root), remedy="Choose another LUBAN_WORKSPACE.")
    with writing_to(root):
        root.mkdir(parents=True, exist_ok=True)
        # A workspace inside a repository is no part of it.
        (root / ".gitignore").write_text("*\n")


def _user() -> str:
    named = os.environ.get("LUBAN_ACTOR")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
