"""export: a run's encoder, and what reads its frames, as a folder for transformers."""

from pathlib import Path

from captionstew.cli.console import TICK, Console
from captionstew.cli.figures import size
from captionstew.cli.parser import Arguments
from captionstew.cli.train import check_packages


def run(arguments: Arguments, console: Console) -> int:
    """Write the folder of the newest checkpoint."""
    check_packages()
    from captionstew.train.export import export_run

    folder = Path(arguments.folder).expanduser()
    out = Path(arguments.out).expanduser() if arguments.out else folder / "export"
    export_run(folder, out, encoder_alone=arguments.encoder, averaged=not arguments.last)
    held = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    console.data({"run": str(folder), "out": str(out), "bytes": held})
    console.mark(TICK, f"exported {folder} to {out}, {size(held)}")
    loading = (
        f'import captionstew.train.auto, transformers; m = transformers.AutoModel.from_pretrained("{out}")'
    )
    console.say(
        "  m(waves).last_hidden_state: float waves (B, S) at 16 kHz to frames (B, T, D); pooler_output: (B, D)"
    )
    console.next(f"python -i -c '{loading}'")
    return 0
