"""Playing a clip on this machine, by whatever program plays sound here."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from captionstew.audio.codec import Pcm
from captionstew.errors import StewError

# Programs that play a WAV file and end with it, those that belong to a desktop first.
_PLAYERS = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--no-video", "--really-quiet"),
)


def play(pcm: Pcm, rate: int) -> str:
    """The clip was heard; returns the program that played it. StewError if none is here, or none could."""
    found = [(path, *words[1:]) for words in _PLAYERS if (path := shutil.which(words[0]))]
    if not found:
        names = ", ".join(words[0] for words in _PLAYERS)
        hint = "apt-get install alsa-utils (or ffmpeg); --png FILE draws it instead"
        raise StewError("nothing here plays sound", cause=f"none of {names} is installed", hint=hint)
    fault = ""
    with tempfile.TemporaryDirectory(prefix="captionstew-play-") as folder:
        file = Path(folder) / "clip.wav"
        soundfile.write(file, pcm, rate, subtype="PCM_16")
        for words in found:
            done = subprocess.run(
                [*words, str(file)], capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode == 0:
                return Path(words[0]).name
            fault = (done.stderr.strip().splitlines() or [f"{words[0]} ended with {done.returncode}"])[-1]
    hint = "is a device connected, and this no session over the network? --png FILE draws the clip instead"
    raise StewError("the clip could not be played", cause=fault, hint=hint)
