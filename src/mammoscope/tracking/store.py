"""Where runs are kept: an SQLite file with artifacts beside it, or a server. Eight processes may open it at once."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import final

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.file_utils import local_file_uri_to_path

from mammoscope.errors import MammoscopeError
from mammoscope.processes import host_digests
from mammoscope.tracking.embedded import create_database, make_folder, open_experiment, refused_clearly
from mammoscope.tracking.entries import post
from mammoscope.tracking.heartbeat import HEARTBEAT, last_beat, now_text, tell_heartbeat
from mammoscope.tracking.journal import new_journal, waits
from mammoscope.tracking.leftovers import Delivery, deliver
from mammoscope.tracking.limits import check_tags
from mammoscope.tracking.liveness import ENDED_BY, SharedLife, take_life
from mammoscope.tracking.location import Location, check_database, locate
from mammoscope.tracking.lookup import RunInfo, find_run, run_folder, run_info, search
from mammoscope.tracking.origin import (
    code_diff,
    code_tags,
    is_this_host,
    library_versions,
    untracked_code,
)
from mammoscope.tracking.outage import answered, public_address
from mammoscope.tracking.run import Life, Logged, MlflowTracker
from mammoscope.tracking.sender import Say, Sender
from mammoscope.tracking.view import show_columns

HOST = "host"  # tag: digests of the host that a run lives on
OPENINGS = "openings"
PARENT_ID = "mlflow.parentRunId"  # tag: MLflow's pages show a tree by it
UNTRACKED = "code_untracked"  # tag: how many files of src/ and conf/ git did not know, which code.diff therefore lacks
ENVIRONMENT_FILE = "environment.txt"  # "torch: 2.11.0", a line each
DIFF_FILE = "code.diff"
LEFT = "its process ended without a word: killed, or the machine stopped"
LOCK_TIMEOUT_S = 300.0  # making the database takes 3 s, and whoever waits behind it well under one


def open_store(uri: str, experiment: str, *, home: Path, say: Say = print) -> "TrackingStore":
    """The store at `uri`, made if it is not there, and the experiment in it.

    Args:
        home: holds the runs' local folders when `uri` is a server; an embedded store has them beside its database.
        say: is told when the store goes and comes back while a run lives, from another thread.

    Raises:
        MammoscopeError: a URI that is neither SQLite nor http(s), a place that cannot be written, a file that is not
            MLflow's database, a server that does not answer, a deleted experiment.
    """
    location = locate(uri, home)
    make_folder(location)
    with locked(location), refused_clearly(location):
        if location.database is not None and not check_database(location):
            create_database(location)
        client = MlflowClient(tracking_uri=location.uri, registry_uri=location.uri)
        found = open_experiment(client, location, experiment)
        show_columns(client, found)
    return TrackingStore(location, client, experiment, found.experiment_id, say)


@contextmanager
def locked(location: Location) -> Iterator[None]:
    """Alone on this host; a block within a block is let in.

    Raises MammoscopeError where the lock cannot be made, or is held for five minutes.
    """
    lock = FileLock(location.lock, is_singleton=True)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    except Timeout as error:
        raise location.refusal(f"{location.lock} is held by another process") from error
    except OSError as error:
        raise location.refusal(f"{location.lock} cannot be written ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()


@final
class TrackingStore:
    """An open store. Its client is the only state: nothing of MLflow's global state is touched."""

    def __init__(self, location: Location, client: MlflowClient, experiment: str, experiment_id: str, say: Say):
        self.location = location
        self.client = client
        self.experiment = experiment
        self.experiment_id = experiment_id
        self._say = say

    @property
    def uri(self) -> str:
        return self.location.uri

    @property
    def folder(self) -> Path:
        """Holds runs/<run_id>/: beside the database, or the `home` of a store that lives on a server."""
        return self.location.folder

    def locked(self) -> AbstractContextManager[None]:
        """What must not interleave with another process of this host, as registering a version does."""
        return locked(self.location)

    def start_run(
        self,
        name: str,
        tags: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
        *,
        is_trial: bool = False,
    ) -> MlflowTracker:
        """A run that is RUNNING as long as this process lives. Commit and library versions are added here.

        Args:
            environment: what only the caller knows: device, precision, CPU. Goes with the versions to environment.txt.
            is_trial: environment and changes of the code are its search's.

        Raises:
            MammoscopeError: a tag that MLflow cannot hold; a store or a folder of runs that cannot be written.
        """
        with self.locked(), refused_clearly(self.location, "a run cannot be begun"):  # locked: nobody reaps it so early
            return self._begin(name, tags, environment, take_life, with_code=not is_trial)

    def join_run(
        self, name: str, tags: Mapping[str, str], identity: Mapping[str, str], environment: Mapping[str, str]
    ) -> MlflowTracker:
        """The run with the tags `identity`, which several processes may have at once; begun by the first.

        It is RUNNING as long as one of them lives.
        """
        with self.locked(), refused_clearly(self.location, "a run cannot be begun"):
            found = self.latest(identity)
            if found is None:
                return self._begin(name, {**tags, **identity}, environment, SharedLife, with_code=True)
            return self._go_on(found, SharedLife(found.folder))

    def _begin(
        self,
        name: str,
        tags: Mapping[str, str],
        environment: Mapping[str, str] | None,
        take: Callable[[Path], Life | None],
        *,
        with_code: bool,
    ) -> MlflowTracker:
        versions = library_versions()
        said = {HOST: "+".join(sorted(host_digests())), "python": versions["python"], "torch": versions["torch"]}
        said[HEARTBEAT] = now_text()
        said[UNTRACKED] = str(len(untracked_code()))
        rows = {"mlflow.source.name": "mammoscope", **said, **code_tags(), **tags}
        check_tags(rows)
        run_id = self.client.create_run(self.experiment_id, run_name=name, tags=rows).info.run_id
        folder = run_folder(self.folder, run_id)
        with ExitStack() as undo:  # nobody has the run yet, so nobody else could end it
            undo.callback(self._take_back, run_id, folder)
            life = take(folder)
            assert life is not None, "a new run is nobody else's"
            undo.callback(life.release)
            sender = self._sender(run_id, lives=True)
            undo.callback(sender.stop)
            tracker = MlflowTracker(run_id, folder, sender, life)
            if with_code:
                self.write_environment(tracker, environment or {})
                if diff := code_diff():
                    tracker.written(diff, DIFF_FILE)
            undo.pop_all()
        return tracker

    def write_environment(self, tracker: MlflowTracker, environment: Mapping[str, str]) -> None:
        """environment: as start_run takes it."""
        lines = [f"{key}: {value}" for key, value in {**environment, **library_versions()}.items()]
        tracker.text("\n".join(lines) + "\n", ENVIRONMENT_FILE)

    def continue_run(self, run: RunInfo) -> MlflowTracker:
        """To go on with an unfinished run of this machine: it is RUNNING again, and what it has logged stays.

        Raises MammoscopeError where its files are elsewhere, or a living process has it.
        """
        if self.location.database is None and not run.folder.is_dir():
            raise MammoscopeError(f"run {run.id}: its checkpoints are not on this machine; allowed: to resume it there")
        life = take_life(run.folder)
        if life is None:
            raise MammoscopeError(
                f"run {run.id}: a living process has it; allowed: to wait for it, or to stop it first"
            )
        with refused_clearly(self.location, f"run {run.id} cannot be gone on with"):
            return self._go_on(run, life)

    def _go_on(self, run: RunInfo, life: Life) -> MlflowTracker:
        with ExitStack() as undo:
            undo.callback(life.release)
            self.client.update_run(run.id, status="RUNNING")
            if ENDED_BY in run.tags:
                self.client.delete_tag(run.id, ENDED_BY)
            tell_heartbeat(self.client, run.id)
            sender = self._sender(run.id, lives=True)
            tracker = MlflowTracker(run.id, run.folder, sender, life, logged=self._logged(run.id))
            undo.pop_all()
        return tracker

    def _logged(self, run_id: str) -> Logged:
        data = self.client.get_run(run_id).data
        histories = {key: self.client.get_metric_history(run_id, key) for key in data.metrics}
        last_steps = {key: max(metric.step for metric in history) for key, history in histories.items()}
        return Logged(frozenset(data.params), last_steps)

    def _sender(self, run_id: str, *, lives: bool) -> Sender:
        """lives: the run is RUNNING as long as this process lives."""
        address = public_address(self.location.given)
        journal = new_journal(run_folder(self.folder, run_id), address)
        beat = partial(tell_heartbeat, self.client, run_id) if lives else None
        return Sender(journal, partial(post, self.client, run_id), address, self._say, beat)

    @contextmanager
    def reopened(self, run_id: str) -> Iterator[MlflowTracker]:
        """To write more into a run that has ended, as an evaluation does. Its status stays.

        Raises MammoscopeError, when the block ends, for what the store refused.
        """
        tracker = MlflowTracker(run_id, run_folder(self.folder, run_id), self._sender(run_id, lives=False), None)
        try:
            yield tracker
        finally:
            tracker.close()

    def discard(self, tracker: MlflowTracker) -> None:
        """Takes back a run that never began: its row, its artifacts and its folder."""
        tracker.let_go()
        self._take_back(tracker.run_id, tracker.folder)

    def forget(self, run: RunInfo) -> None:
        """Takes back a run that came to nothing and that another takes the place of."""
        self._take_back(run.id, run.folder)

    def _take_back(self, run_id: str, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        artifacts = self._artifacts(run_id) if self.location.database is not None else None
        self.client.set_terminated(run_id, "FAILED")
        self.client.delete_run(run_id)
        if artifacts is not None:
            # delete_run only marks the row; a server keeps it so, for the owner's `mlflow gc`
            SqlAlchemyStore(self.uri, self.location.artifacts.as_uri())._hard_delete_run(run_id)
            shutil.rmtree(artifacts.parent, ignore_errors=True)

    def send_left(self) -> list[Delivery]:
        """Sends what runs of processes that are gone have left in their outboxes, and says what each came to."""
        return deliver(self.folder, self.client)

    def reap(self) -> list[RunInfo]:
        """Marks the runs of this host that are RUNNING without a living process as KILLED, and returns them.

        One with an outbox that is not empty is left alone: how it ended may wait there.
        """
        with self.locked(), answered(self.location.given):
            experiments = [e.experiment_id for e in self.client.search_experiments()]
            left = list(search(self.client, experiments, "attributes.status = 'RUNNING'"))
            dead = [run for run in left if self._is_dead(run.info.run_id, run.data.tags.get(HOST, ""))]
            for run in dead:
                beat = last_beat(run.data.tags)  # it ended about then, not when somebody looked
                self.client.set_tag(run.info.run_id, ENDED_BY, LEFT)
                self.client.set_terminated(
                    run.info.run_id, "KILLED", None if beat is None else round(beat.timestamp() * 1000)
                )
            return [self._info(run.info.run_id) for run in dead]

    def _is_dead(self, run_id: str, host: str) -> bool:
        if not is_this_host(host):
            return False
        folder = run_folder(self.folder, run_id)
        if self.location.database is None and not folder.exists():
            return False  # it may live under another home
        if waits(folder):
            return False
        life = take_life(folder)
        if life is not None:
            life.release()
        return life is not None

    def find_run(self, reference: str) -> RunInfo:
        """By id, unique prefix of an id, or name. Raises MammoscopeError, listing candidates, for none or several."""
        return run_info(find_run(self.client, self.experiment_id, reference), self.folder)

    def experiment_of(self, run: RunInfo) -> str:
        """Its name: a run may be found in another experiment than the store was opened with."""
        return str(self.client.get_experiment(run.experiment_id).name)

    def latest_finished(self, tags: Mapping[str, str]) -> RunInfo | None:
        """The experiment's latest FINISHED run that has all these tags; values hold no quotes. Raises StoreAway."""
        conditions = ["attributes.status = 'FINISHED'", *(f"tags.{key} = '{value}'" for key, value in tags.items())]
        with answered(self.location.given):
            found = next(search(self.client, [self.experiment_id], " and ".join(conditions)), None)
        return None if found is None else run_info(found, self.folder)

    def latest(self, tags: Mapping[str, str], *, without: str | None = None) -> RunInfo | None:
        """The experiment's latest run that has all these tags and not the other, however it ended; no quotes in values.

        Raises StoreAway.
        """
        conditions = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        with answered(self.location.given):
            found = search(self.client, [self.experiment_id], conditions)
            latest = next((run for run in found if without not in run.data.tags), None)
        return None if latest is None else run_info(latest, self.folder)

    def artifact(self, run_id: str, path: str) -> Path:
        """A file or folder that the run logged, on this disk. Raises MammoscopeError where there is none."""
        inside = PurePosixPath(path)
        missing = MammoscopeError(f"run {run_id}: has no artifact {path}; allowed: what its Artifacts tab lists")
        if inside.is_absolute() or ".." in inside.parts:
            raise missing
        if self.location.database is not None:
            local = self._artifacts(run_id) / inside
            if not local.exists():
                raise missing
            return local
        downloads = run_folder(self.folder, run_id) / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self.client.download_artifacts(run_id, path, str(downloads)))
        except (MlflowException, OSError) as error:
            raise missing from error

    def environment(self, run: RunInfo) -> dict[str, str]:
        """What start_run was told and added. Raises MammoscopeError."""
        lines = self.inherited(run, ENVIRONMENT_FILE).read_text().splitlines()
        return {key: value for key, separator, value in (line.partition(": ") for line in lines) if separator}

    def inherited(self, run: RunInfo, path: str) -> Path:
        """As `artifact`; of a search's trial that has none, its search's."""
        try:
            return self.artifact(run.id, path)
        except MammoscopeError:
            if PARENT_ID not in run.tags:
                raise
            return self.inherited(self.find_run(run.tags[PARENT_ID]), path)

    def count_opening(self, run_id: str, partition: str, members: str) -> int:
        """Counts that `partition` with these members (a digest) was scored, by this run and in the experiment.

        Returns how often any run of the experiment opened it, this time included: each look at a sealed partition
        makes the next less sealed, whichever model looks.
        """
        mine, all_runs = f"{OPENINGS}.{partition}", f"{OPENINGS}.{partition}.{members}"
        with self.locked():
            run = self.client.get_run(run_id)
            experiment = self.client.get_experiment(self.experiment_id)
            count = int(experiment.tags.get(all_runs, "0")) + 1
            self.client.set_tag(run_id, mine, str(int(run.data.tags.get(mine, "0")) + 1))
            self.client.set_experiment_tag(self.experiment_id, all_runs, str(count))
        return count

    def _artifacts(self, run_id: str) -> Path:
        return Path(local_file_uri_to_path(self.client.get_run(run_id).info.artifact_uri))

    def _info(self, run_id: str) -> RunInfo:
        return run_info(self.client.get_run(run_id), self.folder)
