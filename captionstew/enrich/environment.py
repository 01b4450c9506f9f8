"""vLLM pins its own torch and lives in its own environment: where it is, and what it may see of this machine."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from captionstew.errors import EngineError
from captionstew.rooms import room

VARIABLE = "CAPTIONSTEW_VLLM_PYTHON"
_KEPT = Path(".venv-vllm") / "bin" / "python"
_HINT = f"make enrich-env makes one; --python or {VARIABLE} names another"


def vllm_python(given: str = "") -> Path:
    """The interpreter that has vLLM: what is given, else the environment's variable, else `.venv-vllm` here."""
    path = Path(given or os.environ.get(VARIABLE, "") or _KEPT).expanduser()
    if not path.is_file():
        raise EngineError("there is no environment with vLLM", cause=f"no interpreter at {path}", hint=_HINT)
    return (
        path.absolute()
    )  # never resolved: an environment's interpreter is a link to the one it was made from


def check_vllm(python: Path) -> str:
    """The version of vLLM there; EngineError if it cannot be imported. Takes as long as its import, some 15 s."""
    code = "import vllm; print(vllm.__version__)"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, env=own())
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError("vLLM cannot be imported", cause=cause, where=str(python), hint=_HINT)
    return done.stdout.strip().splitlines()[-1]


def check_folder(model: str, *, has_template: bool = False) -> None:
    """Of a model that is a folder here: EngineError unless it has a configuration, weights and a chat template."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if model.startswith(("/", "~", ".")):
            raise EngineError(f"there is no model at {model}", hint="name its folder, or a model on the Hub")
        return
    for pattern in ("config.json", "*.safetensors *.bin", "tokenizer*"):
        if not any(any(folder.glob(one)) for one in pattern.split()):
            hint = "give the folder of a model as transformers saves it, with its tokenizer"
            raise EngineError(
                "this is no language model", cause=f"no {pattern.split()[0]}", where=model, hint=hint
            )
    if not (has_template or template(model) or _own_template(folder)):
        hint = "choose an instruct model, or serve this one: captionstew enrich serve MODEL --template FILE"
        raise EngineError("the model has no chat template", where=model, hint=hint)


def _own_template(folder: Path) -> bool:
    try:
        facts = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {}
    files = ("chat_template.jinja", "chat_template.json")
    return bool(facts.get("chat_template")) or any((folder / name).is_file() for name in files)


def gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs of this machine that we may use, as CUDA_VISIBLE_DEVICES names them."""
    if (chosen := environment.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(part.strip() for part in chosen.split(",") if part.strip())
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ()
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return tuple(str(number) for number in range(len(lines)))


def own(**more: str) -> dict[str, str]:
    """Our environment variables without those that would lead vLLM's Python to our packages."""
    ours = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    return {**{name: text for name, text in os.environ.items() if name not in ours}, **more}


def template(model: str) -> Path | None:
    """The chat template that we bring for a model whose tokenizer has none; None for all others."""
    name = model.rstrip("/").rpartition("/")[2].lower()
    return room("pipelines") / "prompts" / "vicuna_v1.5.jinja" if name.startswith("vicuna-") else None
