"""Sources that pass by or circle, with the Doppler effect and, in stereo, a direction."""

import numpy as np

from captionstew.corpora.sampler.movers import engine
from captionstew.corpora.sampler.signals import (
    band,
    noise,
    pan,
    soft,
    tilt,
)
from captionstew.corpora.sampler.take import Curve, Scene, Take
from captionstew.corpora.sampler.words import number, times

_SPEED_OF_SOUND = 343.0  # metres per second


def passage(take: Take, speed: float, nearest: float) -> tuple[Curve, Curve, Curve]:
    """A straight pass: pitch factor (Doppler), gain, and position from -1 to 1, nearest halfway."""
    along = speed * (take.time - take.seconds / 2)
    distance = np.hypot(along, nearest)
    factor = _SPEED_OF_SOUND / (_SPEED_OF_SOUND + speed * along / distance)
    return factor, nearest / distance, along / distance


def pass_by(take: Take) -> Scene:
    """A motor-like buzz that comes, passes and goes, its pitch dropping."""
    factor, gain, _ = passage(take, take.between(22, 35), take.between(9, 14))
    sound = engine(take, take.between(90, 150) * factor) * gain.astype(np.float32)
    return take.scene(
        soft(take, sound, 0.2, 0.2),
        ("an engine-like buzz passing by", "a motor-like sound that comes and goes"),
        (
            "An engine-like buzz [comes closer|approaches], passes and moves away",
            "A vehicle-like drone passes by, its pitch dropping as it goes",
            "A motor-like sound grows loud, then falls in pitch and fades",
            "A buzzing sound rushes past and its pitch falls",
            "Something like a motorcycle drives by, loudest halfway through",
        ),
    )


def pass_across(take: Take) -> Scene:
    """As `pass_by`, with the direction to be heard in stereo."""
    factor, gain, side = passage(take, take.between(22, 35), take.between(9, 14))
    begin, end, way = take.pick(("left", "right", 1), ("right", "left", -1))
    sound = engine(take, take.between(90, 150) * factor) * gain.astype(np.float32)
    return take.scene(
        pan(soft(take, sound, 0.2, 0.2), way * side),
        (f"an engine-like buzz passing from {begin} to {end}", f"a motor-like sound from {begin} to {end}"),
        (
            f"An engine-like buzz passes from {begin} to {end}, its pitch falling",
            f"Something like a racing car drives by from {begin} to {end}",
            f"A vehicle-like drone moves from {begin} to {end} and away",
            f"A buzzing motor-like sound crosses from the {begin} to the {end}",
            f"A motor-like buzz rushes past from {begin} to {end} and drops in pitch",
        ),
    )


def circling(take: Take) -> Scene:
    """A hiss that swings between the two sides a counted number of times."""
    count = take.count(2, 4, 2.0)
    side = -np.cos(2 * np.pi * count * take.time / take.seconds)
    sound = noise(take, tilt(1)) * 0.6 + noise(take, band(1500, 4000))
    return take.scene(
        pan(soft(take, sound, 0.1, 0.1), side),
        ("a hiss swinging from side to side", "noise moving between left and right"),
        (
            f"A hiss swings from left to right and back {times(count)}",
            f"Noise moves between the two sides, {times(count)} there and back",
            "A rushing sound wanders from the left to the right and returns",
            f"Wind-like hiss circles [around the listener|from side to side] {number(count)} times",
            f"A steady hiss changes sides, starting on the left, {times(count)} around",
        ),
    )
