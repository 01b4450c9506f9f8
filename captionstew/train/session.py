"""One process of a run, from the order to the summary; the same function under torchrun, Ray, or alone."""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from captionstew.errors import BuildError
from captionstew.train.assemble import assembled
from captionstew.train.blueprint import save_blueprint
from captionstew.train.export import BLUEPRINT
from captionstew.train.folder import RunFolder, open_folder
from captionstew.train.launch import joined
from captionstew.train.loop import Seen
from captionstew.train.plots import plot
from captionstew.train.preflight import Estimate, preflight
from captionstew.train.ranks import rank, wait, world
from captionstew.train.run import Run


@dataclass(frozen=True)
class Order:
    """A run, the shards it learns from, and the folder it lives in. Travels to other processes."""

    run: Run
    data: str
    out: Path


@dataclass(frozen=True)
class Summary:
    """What came of a run: where it stands, the last validation, what it took."""

    step: int
    figures: Mapping[str, float]
    audio_hours: float
    num_skipped: int
    wall: float


Watch = Callable[[Seen], None]


def check(order: Order, told: Callable[[Estimate], None]) -> Estimate:
    """What the run would need, measured on its worst batch; nothing is trained and no folder is left behind."""
    import tempfile

    with joined() as device, tempfile.TemporaryDirectory(prefix="captionstew-") as place:
        folder = open_folder(Path(place) / "run", order.run, Path(order.data))
        estimate = preflight(assembled(order.run, folder, order.data, device, lambda _: None))
    told(estimate)
    return estimate


def train(order: Order, watch: Watch, told: Callable[[Estimate], None]) -> Summary:
    """The run has done all its steps: weights, curves and plots lie in its folder."""
    began = time.monotonic()
    with joined() as device:
        if rank() == 0:
            open_folder(order.out, order.run, Path(order.data))
        wait()
        folder = RunFolder(order.out)
        with _alone(folder):
            trainer = assembled(order.run, folder, order.data, device, watch)
            estimate = preflight(trainer)
            if rank() == 0:
                save_blueprint(folder.path / BLUEPRINT, trainer.learner.encoder, trainer.learner.objective)
                folder.note("preflight", **estimate.plain())
                told(estimate)
            with trainer.data:
                figures = trainer.fit()
            if rank() == 0:
                plot(folder.path)
                folder.note("finished", step=trainer.step, ranks=world())
        hours = trainer.audio_seconds / 3600
        return Summary(
            trainer.step, figures, hours, trainer.movers.guard.num_skipped, time.monotonic() - began
        )


@contextmanager
def _alone(folder: RunFolder) -> Iterator[None]:
    """No other command trains in this folder; the lock goes with the process, however it ends."""
    if rank() != 0:
        yield
        return
    with (folder.path / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it, stop it, or choose another --out"
            raise BuildError(f"another command is training in {folder.path}", hint=hint) from None
        yield
