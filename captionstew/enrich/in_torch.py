"""A model of transformers in this very process: needs no server and no other environment, and is slow."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from captionstew.enrich.chat import clean
from captionstew.enrich.engine import LENGTH, STOP, Answer, Ask, Engine
from captionstew.enrich.environment import check_folder
from captionstew.enrich.environment import template as template_of
from captionstew.enrich.quiet import quiet
from captionstew.errors import EngineError

_HINT = "name an instruct model on the Hub or its folder, with tokenizer and weights"


@dataclass(frozen=True)
class InTorch(Engine):
    """A causal language model on the GPU if there is one, else on the CPU, one ask after the other.

    An ask with a seed gives the same text in any company and order, on one machine and version.
    """

    model: str
    revision: str = ""
    context: int = 0  # tokens; 0: the model's own

    def check(self) -> None:
        """Torch and transformers are here, and the model if it is a folder."""
        for name in ("torch", "transformers"):
            if find_spec(name) is None:
                raise _not_installed(name)
        check_folder(self.model)

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """In the order of the asks. EngineError before the first if the model cannot be loaded."""
        speaker = self._speaker
        for ask in asks:
            yield speaker.answer(ask)

    def close(self) -> None:
        """The model is forgotten."""
        self.__dict__.pop("_speaker", None)

    @cached_property
    def _speaker(self) -> "_Speaker":
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ModuleNotFoundError as error:
            raise _not_installed(error.name or "") from error
        options = {"revision": self.revision} if self.revision and not Path(self.model).is_dir() else {}
        try:
            gpu = torch.cuda.is_available()
            kind = torch.bfloat16 if gpu else torch.float32
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(self.model, **options)
                model = AutoModelForCausalLM.from_pretrained(self.model, dtype=kind, **options)
        except (OSError, ValueError) as error:
            cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise EngineError(f"transformers cannot load {self.model}", cause=cause, hint=_HINT) from error
        path = template_of(self.model)
        text = path.read_text(encoding="utf-8") if path else tokenizer.chat_template
        if not text:
            raise EngineError(f"{self.model} has no chat template", cause="nor has its tokenizer", hint=_HINT)
        longest = self.context or int(getattr(model.config, "max_position_embeddings", 0)) or 4096
        return _Speaker(model.to("cuda" if gpu else "cpu").eval(), tokenizer, text, longest)


def _not_installed(name: str) -> EngineError:
    return EngineError(f"{name} is not installed", hint="pip install 'captionstew[enrich]'")


@dataclass(frozen=True)
class _Speaker:
    """The loaded model."""

    model: Any
    tokenizer: Any
    template: str
    longest: int  # tokens of prompt and answer

    def answer(self, ask: Ask) -> Answer:
        from jinja2 import TemplateError

        try:
            text = self.tokenizer.apply_chat_template(
                [asdict(one) for one in ask.messages], chat_template=self.template, tokenize=False,
                add_generation_prompt=True,
            )  # fmt: skip
        except TemplateError as error:
            return Answer.failed(ask.key, f"HTTP 400: {error}"[:300])
        tokens = self.tokenizer.encode(text, add_special_tokens=False, verbose=False)
        if len(tokens) + 1 > self.longest:
            cause = f"{len(tokens)} tokens are more than the context length of {self.longest}"
            return Answer.failed(ask.key, f"HTTP 400: {cause}")
        return self._said(ask, tokens)

    def _said(self, ask: Ask, tokens: Sequence[int]) -> Answer:
        import torch

        sampling, device = ask.sampling, self.model.device
        drawn = {"do_sample": False} if not sampling.temperature else {
            "do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0,
        }  # fmt: skip
        stop = {"stop_strings": list(sampling.stop), "tokenizer": self.tokenizer} if sampling.stop else {}
        most = min(sampling.max_tokens, self.longest - len(tokens))
        inputs = torch.tensor([list(tokens)], device=device)
        with torch.random.fork_rng(), torch.inference_mode():
            if ask.seed is not None:
                torch.manual_seed(ask.seed)
            found = self.model.generate(
                inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=most,
                pad_token_id=self.tokenizer.eos_token_id, **drawn, **stop,
            )  # fmt: skip
        new = found[0, len(tokens) :].tolist()
        text, ended = self._ended(new, ask.sampling.stop)
        return Answer(ask.key, clean(text), STOP if ended else LENGTH, None, len(tokens), len(new))

    def _ended(self, new: Sequence[int], stop: Sequence[str]) -> tuple[str, bool]:
        """The text without what ended it, and whether anything but the limit did."""
        ends = self.model.generation_config.eos_token_id
        ended = bool(new) and new[-1] in (ends if isinstance(ends, list) else [ends])
        text = self.tokenizer.decode(new[:-1] if ended else new, skip_special_tokens=True)
        first = min((place for one in stop if (place := text.find(one)) >= 0), default=-1)
        return (text[:first], True) if first >= 0 else (text, ended)
