"""Sources that move or change speed: sirens, engines, rotors, steps, a bouncing ball, a fall."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    band,
    curve,
    cycles,
    decay,
    noise,
    place,
    silence,
    soft,
    strengths,
    tone,
    wave,
)
from captionstew.corpora.sampler.take import Curve, Samples, Scene, Take
from captionstew.corpora.sampler.words import times


def siren(take: Take) -> Scene:
    """A tone that wails up and down a counted number of times."""
    count = take.count(1, 4, 2.2)
    low, high = take.between(400, 550), take.between(1000, 1400)
    lean = take.between(-0.7, 0.7)  # rises faster than it falls, or the reverse
    turn = 2 * np.pi * count * take.time / take.seconds
    swing = 0.5 - 0.5 * np.cos(turn + lean * (np.cos(turn) - 1))
    return take.scene(
        tone(take, low * (high / low) ** swing, take.pick("sawtooth", "triangle", "sine")),
        ("a wailing siren-like tone", f"a siren-like tone rising and falling {times(count)}"),
        (
            f"A siren-like tone rises and falls {times(count)}",
            f"A wailing siren-like sound goes up and down {times(count)}",
            "A siren-like wail [slowly|steadily] climbs and sinks again",
            f"An electronic wail like [an air-raid|a fire engine's] siren, {times(count)} up and down",
            f"The pitch of a siren-like tone swings from low to high and back {times(count)}",
        ),
    )


def two_tone_horn(take: Take) -> Scene:
    """High and low in turn, half a second each, as European emergency horns."""
    low = take.between(380, 450)
    pitch = np.where((take.time / take.between(0.45, 0.6)).astype(int) % 2 == 0, low * 4 / 3, low)
    return take.scene(
        tone(take, pitch, "square"),
        ("a two-tone siren-like horn", "a nee-naw siren-like sound"),
        (
            "A two-tone siren-like horn alternates between high and low",
            "A nee-naw sound like a European ambulance [repeats|goes on]",
            "A siren-like signal switches between two pitches again and again",
            "A hollow electronic horn goes high, low, high, low",
            "An ambulance-like two-note signal without any traffic",
        ),
    )


def engine(take: Take, pitch: float | Curve) -> Samples:
    """A motor-like buzz: uneven harmonics and a breath of exhaust noise at the same rate."""
    phase = cycles(take, pitch)
    highest = float(np.max(pitch))
    buzz = wave(phase, strengths("sawtooth", highest, take.sample_rate)[:24])
    lumps = wave(phase / 2, [1.0, 0.3])
    breath = noise(take, band(80, 900)) * (0.6 + 0.4 * lumps)
    return np.asarray(buzz * (0.75 + 0.25 * lumps) + 0.2 * breath, np.float32)


def revving(take: Take) -> Scene:
    """A motor-like buzz whose speed climbs or sinks throughout."""
    faster = take.pick(True, False)
    ends = (take.between(35, 50), take.between(140, 220))
    ends = ends if faster else ends[::-1]
    sound = engine(take, ends[0] * (ends[1] / ends[0]) ** curve(take, 0, 1))
    change, verb = ("speeds up", "rises") if faster else ("slows down", "sinks")
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        (f"an engine-like buzz that {change}", f"a motor-like sound that {change}"),
        (
            f"An engine-like buzz {change} steadily",
            f"A motor-like sound {change} and its pitch {verb}",
            f"The pitch of a motor-like hum {verb} [all the time|from start to end]",
            f"Something like a [small|two-stroke] engine {change} without a pause",
            f"A droning engine-like tone {verb} in pitch as it {change}",
        ),
    )


def idling(take: Take) -> Scene:
    """A slow chug at one speed."""
    rate = take.between(7, 12)
    lumps = np.clip(wave(cycles(take, rate), [1.0]), 0, 1) ** 2
    sound = engine(take, rate * 4) * (0.15 + lumps)
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        ("an engine-like chugging", "a motor-like idle"),
        (
            "An engine-like chug [goes on|continues] at one speed",
            "A motor seems to idle, chugging [evenly|without speeding up]",
            "Even, low puttering like that of a tractor at rest",
            "A low [chugging|puttering] sound as of an idling diesel engine",
            "Motor-like putt-putt in a steady rhythm",
        ),
    )


def rotor(take: Take) -> Scene:
    """Noise chopped by blades that turn faster, slower or evenly."""
    change, ends = take.pick(
        ("gets faster", (5.0, 14.0)), ("gets slower", (14.0, 5.0)), ("keeps its speed", (10.0, 10.0))
    )
    chop = np.clip(wave(cycles(take, curve(take, *ends)), [1.0]), 0, 1) ** 3
    sound = noise(take, band(90, 1200)) * (0.08 + chop)
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        (f"a chopping rotor-like noise that {change}", f"helicopter-like chopping that {change}"),
        (
            f"A rotor-like chopping sound {change}",
            f"Helicopter-like blades of noise, and the chopping {change}",
            f"A whirring, chopping noise {change} [from start to end|throughout]",
            f"Air seems to be chopped by a propeller that {change}",
            f"A fan-like thudding noise that {change}",
        ),
    )


def bouncing_ball(take: Take) -> Scene:
    """Thuds at shrinking distances and shrinking strength."""
    ratio, distance = take.between(0.74, 0.86), take.between(0.55, 0.75)
    canvas, second, strength = silence(take), 0.2, 1.0
    stretch, pitch = take.lasting(0.12), take.between(150, 320)
    thud = wave(cycles(stretch, pitch), [1.0, 0.3]) + 0.3 * noise(stretch, band(400, 3000))
    thud = soft(stretch, thud * decay(stretch, 0.012), 0.0005, 0.03)
    while distance > 0.03 and second < take.seconds - 0.1:
        place(take, canvas, thud, second, strength)
        second, distance, strength = second + distance, distance * ratio, strength * ratio
    return take.scene(
        canvas,
        ("a bouncing-ball-like patter", "thuds that come faster and softer"),
        (
            "A bouncing-ball-like sound, each bounce quicker and softer than the last",
            "Something seems to bounce and come to rest, the hits getting closer together",
            "Thuds come faster and faster while they grow softer, like a dropped ball",
            "A ball-like bounce that [dies away|runs out] in quick little taps",
            "Bounces like those of a ping-pong ball, faster and quieter until they end",
        ),
    )


def steps(take: Take) -> Scene:
    """Footstep-like thuds that approach or recede: louder and brighter, or the reverse."""
    nearer = take.pick(True, False)
    spacing, canvas = take.between(0.48, 0.65), silence(take)
    seconds = np.arange(0.2, take.seconds - 0.2, spacing)
    stretch = take.lasting(0.16)
    for index, second in enumerate(seconds):
        gone = index / (len(seconds) - 1)
        near = gone if nearer else 1 - gone
        thud = wave(cycles(stretch, take.between(75, 95)), [1.0, 0.4]) * decay(stretch, 0.025)
        scuff = noise(stretch, band(600, 3500)) * decay(stretch, 0.02)
        step = soft(stretch, thud + 0.35 * near * scuff, 0.004, 0.05)
        place(take, canvas, step, float(second), 0.06 ** (1 - near))
    verb, change = ("approach", "louder") if nearer else ("move away", "softer")
    return take.scene(
        canvas,
        (f"footstep-like thuds that {verb}", f"step-like thuds getting {change}"),
        (
            f"Footstep-like thuds {verb}, getting {change} [with each step|step by step]",
            f"Something like footsteps seems to {verb}",
            f"Regular step-like thuds become {change} and {change}",
            f"Even walking-like steps {verb} [slowly|at a steady pace]",
            f"Thuds in a walking rhythm get {change} as if somebody were to {verb}",
        ),
    )


def whistle(take: Take) -> Scene:
    """A slide-whistle-like tone that goes up and comes down, or the reverse."""
    low, high = take.between(500, 700), take.between(1500, 2200)
    first_up = take.pick(True, False)
    shape = curve(take, 0, 1, 0) if first_up else curve(take, 1, 0, 1)
    sound = tone(take, low * (high / low) ** shape) + 0.02 * noise(take, band(1000, 5000))
    first, then = ("up", "down") if first_up else ("down", "up")
    return take.scene(
        soft(take, sound, 0.05, 0.05),
        (f"a slide-whistle-like tone going {first} and {then}", "a sliding whistle-like tone"),
        (
            f"A slide-whistle-like tone goes {first} and then {then}",
            f"A whistle-like sound slides {first}, then {then} again",
            f"A clear whistling tone glides {first} and comes back {then}",
            f"One whistle-like slide {first} and one {then}, without a break",
            f"A breathy whistle-like pitch moves {first}, turns round and goes {then}",
        ),
    )


def falling_object(take: Take) -> Scene:
    """A whistle that falls for most of the clip and ends in a thud."""
    fall = take.lasting(take.seconds * 0.75)
    pitch = take.between(1600, 2400) * np.exp2(-2.2 * fall.time / fall.seconds)
    canvas = silence(take)
    place(take, canvas, tone(fall, pitch) * curve(fall, 0.15, 0.6).astype(np.float32), 0)
    stretch = take.lasting(take.seconds * 0.25)
    thud = wave(cycles(stretch, 60.0), [1.0, 0.5]) + 0.4 * noise(stretch, band(80, 1500))
    place(take, canvas, thud * decay(stretch, 0.1), fall.seconds)
    return take.scene(
        canvas,
        ("a falling whistle that ends in a thud", "a cartoon-like fall and impact"),
        (
            "A falling whistle-like tone ends in a thud",
            "A cartoon-like fall: a whistle sinks in pitch, then something hits the ground",
            "A whistling tone gets lower and lower until a dull impact",
            "A long downward whistle-like slide, then a low thump",
            "Something seems to fall with a descending whistle and lands with a bump",
        ),
    )
