"""What may be heard in a clip: every single scene, and two of them together or one after the other."""

import numpy as np

from captionstew.corpora.sampler import (
    beats,
    beepers,
    chirps,
    grains,
    melodies,
    movers,
    noises,
    passages,
    strikes,
    tones,
    voices,
)
from captionstew.corpora.sampler.signals import noise, pan, peak_at, place, silence
from captionstew.corpora.sampler.take import Samples, Scene, SceneMaker, Take

# Clips draw from them in this order, so that neighbours differ in kind; the first come up most often.
SCENES: tuple[SceneMaker, ...] = (
    voices.one_voice, melodies.arpeggio, grains.rain, beats.metronome, tones.chord, noises.wind,
    movers.steps, beepers.beeps_and_low_tone, voices.two_voices, noises.surf, strikes.bell, movers.revving,
    grains.fire, melodies.tune, beats.drum_machine, strikes.knocks, noises.thunder, voices.whisper,
    movers.bouncing_ball, melodies.drone_tune, grains.bubbles, passages.pass_by, voices.laughter,
    noises.coloured, grains.drips, melodies.bass_line, movers.rotor, strikes.claps, voices.crowd,
    movers.siren, melodies.scale, beepers.telephone, tones.steady_tone, noises.whoosh, beats.clock,
    chirps.bird, tones.glide, grains.vinyl, beepers.morse, voices.sung_vowel, tones.beating, movers.idling,
    strikes.doorbell, melodies.chord_progression, beats.changing_clicks, beepers.keypad,
    noises.static_bursts, tones.tremolo, movers.falling_object, voices.choir, beepers.alarm, noises.steam,
    tones.vibrato, beats.kick_pulse, chirps.hoots, movers.whistle, tones.chords_in_turn, beepers.countdown,
    beats.shaker, noises.fading_noise, movers.two_tone_horn, strikes.blast, tones.mains_hum, beepers.zaps,
    beats.polyrhythm, chirps.crickets, tones.fading_note, beepers.buzzer, tones.alternating, beepers.beeps,
    beats.gated_buzz,
)  # fmt: skip
STEREO_SCENES: tuple[SceneMaker, ...] = (passages.pass_across, passages.circling)

_BEHIND = (
    grains.rain, noises.wind, noises.coloured, grains.fire, grains.vinyl, tones.beating, tones.mains_hum,
    movers.idling, beats.clock, grains.bubbles,
)  # fmt: skip
_IN_FRONT = (
    voices.one_voice, strikes.knocks, voices.two_voices, strikes.bell, voices.laughter, melodies.tune,
    voices.whisper, chirps.bird, movers.steps, beepers.telephone, strikes.claps, grains.drips, beepers.beeps,
    movers.bouncing_ball, melodies.arpeggio, beepers.keypad, noises.static_bursts, movers.siren, beepers.zaps,
    strikes.doorbell,
)  # fmt: skip


def overlay(take: Take) -> Scene:
    """A scene in front and a steady one behind it, 12 to 18 dB weaker."""
    front, behind = take.pick(*_IN_FRONT)(take), take.pick(*_BEHIND)(take)
    canvas = peak_at(front.sound, 0) + peak_at(behind.sound, take.between(-18, -12))
    near, far = take.phrase(front), take.phrase(behind)
    return take.scene(
        canvas,
        (f"{near} over {far}",),
        (
            f"{near} with {far} in the background",
            f"{near} over {far} [all the time|throughout]",
            f"{far} in the background and {near} in the foreground",
            f"There is {far}, and [on top of it|in front of it] {near}",
            f"A mix of {near} and, more quietly, {far}",
            f"One can hear {near}, and behind that {far}",
        ),
    )


def sequence(take: Take) -> Scene:
    """Two scenes one after the other, half of the clip each."""
    half = take.lasting((take.seconds - 0.3) / 2)
    makers = take.random.choice(len(_IN_FRONT), 2, replace=False)
    first, second = (_IN_FRONT[index](half) for index in makers)
    canvas = silence(take)
    place(take, canvas, peak_at(first.sound, 0), 0)
    place(take, canvas, peak_at(second.sound, take.between(-3, 0)), half.seconds + 0.3)
    begin, end = take.phrase(first), take.phrase(second)
    return take.scene(
        canvas,
        (f"{begin}, then {end}",),
        (
            f"{begin}, followed by {end} [a moment later|after a short pause]",
            f"First {begin}, and after that {end}",
            f"{begin} in the first half, {end} in the second",
            f"It begins with {begin} and ends with {end}",
            f"{begin}, and then, [once that is over|as that stops], {end}",
            f"Two things are heard in turn: {begin} and {end}",
        ),
    )


def finished(take: Take, sound: Samples) -> Samples:
    """The clip as it is stored: room noise at -54 dBFS, a peak between -11 and -4 dBFS, its channels."""
    mixed = peak_at(sound, take.between(-11, -4))
    hiss = noise(take.lasting((len(mixed) + 1) / take.sample_rate))
    room = (hiss[1:] + hiss[:-1]) * np.float32(0.0014)  # two neighbours averaged: darker than white noise
    if take.channels == 1:
        return mixed + room
    if mixed.ndim == 1:
        mixed = pan(mixed, np.full(len(mixed), take.pick(0.0, 0.0, -0.3, 0.3)))
    return mixed + room[:, None]
