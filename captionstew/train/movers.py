"""The optimisers of a run: one for the encoder, one for what reads its frames, each with its schedule."""

from captionstew.train.learner import Learner
from captionstew.train.optim.eden import Eden, Eden2, Eden3
from captionstew.train.optim.guard import Guard
from captionstew.train.optim.parts import Part, Parts, Scaled, Weighted
from captionstew.train.optim.schedules import Constant, Cosine, Rates
from captionstew.train.run import Optimiser, Run

_MOST_SKIPPED = 30  # steps in a row whose gradients are not finite, before the run stops


def movers(run: Run, learner: Learner) -> Parts:
    """Every parameter that needs a gradient belongs to one optimiser."""
    one = run.optimiser
    text = one.text_kind or one.kind
    text_rate = one.text_rate or one.rate
    parts: dict[str, Part] = {"encoder": _part(run, one.kind, one.rate, run.audio.rate_factor)}
    labels = ("contrastive", "captioning")
    for part, label in zip(run.parts, labels if len(run.parts) > 1 else ("",), strict=True):
        prefix = f"objective.{label}".rstrip(".")
        parts[prefix] = _part(run, text, text_rate, part.rate_factor)
    return Parts(learner, parts, Guard(_MOST_SKIPPED))


def _part(run: Run, kind: str, rate: float, factor: float) -> Part:
    one = run.optimiser
    rates = _rates(one, run.steps)
    if kind == "scaled-adam":
        return Scaled(rate, rates, factor)
    betas = (one.betas[0], one.betas[1]) if one.betas else (0.9, 0.98)
    return Weighted(
        rates, rate, factor, betas=betas, weight_decay=one.weight_decay, max_norm=one.clip or float("inf")
    )


def _rates(one: Optimiser, steps: int) -> Rates:
    made: dict[str, Rates] = {
        "eden": Eden(one.batches, one.epochs, one.warmup),
        "eden2": Eden2(one.batches, one.warmup),
        "eden3": Eden3(one.batches, one.epochs, one.steps_per_epoch, one.warmup),
        "cosine": Cosine(steps, one.warmup),
        "constant": Constant(one.warmup),
    }
    return made[one.schedule]
