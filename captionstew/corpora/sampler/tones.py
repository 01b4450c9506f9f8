"""Tones that are held: waveforms, chords, tremolo, vibrato, beating, glides, hum."""

from captionstew.corpora.sampler.signals import curve, cycles, decay, hertz, place, silence, soft, tone, wave
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import article, note, number

_CHARACTER = {"sine": "pure", "square": "hollow", "sawtooth": "buzzing", "triangle": "mellow"}
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


def register(midi: int) -> str:
    """Where a note lies: below 180 Hz is low, above 500 Hz high."""
    return "low" if midi < 54 else "high" if midi > 71 else "medium-pitched"


def chord_of(take: Take, root: int, intervals: tuple[int, ...], waveform: str) -> Samples:
    """Notes of one waveform sounding together."""
    voices = [tone(take, hertz(root + interval), waveform) for interval in intervals]
    return soft(take, sum(voices[1:], voices[0]), 0.05, 0.2)


def steady_tone(take: Take) -> Scene:
    """One waveform on one note, unchanging."""
    midi, kind = take.integer(43, 84), take.pick(*_CHARACTER)
    name, character, where = note(midi), _CHARACTER[kind], register(midi)
    return take.scene(
        tone(take, hertz(midi), kind),
        (f"a steady {where} {kind} tone", f"one long {character} tone on {name}"),
        (
            f"A {character} {kind} wave [holds|sustains] the note {name} [without a break|to the end]",
            f"A [steady|constant|continuous] {kind} tone at {hertz(midi):.0f} hertz",
            f"A single {where} {character} tone [sounds|plays] [continuously|the whole time]",
            f"An electronic {where} tone stays on the note {name} and never changes",
            f"One long {character} note, {article(name)}, held at the same loudness",
        ),
    )


def tremolo(take: Take) -> Scene:
    """A note whose loudness swings a whole number of times per second."""
    midi, rate, kind = take.integer(50, 79), take.integer(2, 9), take.pick("sine", "triangle", "organ")
    swing = 0.55 - 0.45 * wave(take.time * rate, [1.0])
    where, pace = register(midi), "slowly" if rate < 5 else "quickly"
    return take.scene(
        tone(take, hertz(midi), kind) * swing,
        (f"a {where} tone with {'a slow' if rate < 5 else 'a fast'} tremolo", f"a {pace} throbbing tone"),
        (
            f"A {where} tone [trembles|throbs] in loudness {number(rate)} times a second",
            f"A tone on {note(midi)} pulses {pace}, [louder and softer|getting louder and softer]",
            f"[A held|One] note with {'a slow' if rate < 5 else 'a fast'} tremolo",
            f"An [electronic|organ-like] {where} tone swells and fades {pace}, again and again",
            f"The loudness of a {where} tone goes up and down {pace} [at one pitch|at a fixed pitch]",
        ),
    )


def vibrato(take: Take) -> Scene:
    """A note whose pitch swings around its middle."""
    midi, rate = take.integer(55, 79), take.between(4.5, 6.5)
    wobble = 1 + 0.03 * wave(take.time * rate, [1.0]).astype("float64")  # half a semitone to each side
    where = register(midi)
    return take.scene(
        tone(take, hertz(midi) * wobble, take.pick("sawtooth", "triangle", "organ")),
        (f"a {where} tone with vibrato", "a long wavering tone"),
        (
            f"A {where} tone [wavers|wobbles] in pitch with [a steady|a regular] vibrato",
            "One [long|held] note [played by|on] a synthesiser with vibrato",
            f"A [long|sustained] note around {note(midi)} whose pitch wobbles quickly",
            "A vibrating electronic tone keeps swinging [a little|slightly] above and below its note",
            f"[A single|One] {where} synthetic note shakes in pitch several times a second",
        ),
    )


def chord(take: Take) -> Scene:
    """A major or minor triad, held."""
    root, (quality, steps) = take.integer(48, 64), take.pick(("major", MAJOR), ("minor", MINOR))
    kind = take.pick("organ", "triangle", "sawtooth")
    timbre = {"organ": "organ-like", "triangle": "mellow", "sawtooth": "buzzy"}[kind]
    name = f"{note(root)} {quality} chord"
    return take.scene(
        chord_of(take, root, steps, kind),
        (f"a held {name}", f"{article(timbre)} {quality} chord"),
        (
            f"{article(name)} [is held|sounds] on {timbre} tones",
            f"{article(timbre)} synthesiser [holds|sustains] {article(name)}",
            f"Three {timbre} notes [sound together|play at once], forming {article(name)}",
            f"A sustained {quality} chord [built on|with the root] {note(root)}",
            f"A [long|held] {name} of electronic tones without [any|a] rhythm",
        ),
    )


def chords_in_turn(take: Take) -> Scene:
    """A major chord and a minor one, or the other way round."""
    first, second = take.pick(("major", "minor"), ("minor", "major"))
    root, half = take.integer(50, 62), take.lasting(take.seconds / 2)
    triads = (MAJOR, MINOR) if first == "major" else (MINOR, MAJOR)
    parts = [chord_of(half, root, triad, "organ") for triad in triads]
    canvas = silence(take)
    for index, part in enumerate(parts):
        place(take, canvas, part, index * half.seconds)
    return take.scene(
        canvas,
        (f"one {first} chord and then a {second} one", "two organ-like chords in turn"),
        (
            f"One {first} chord [turns into|is followed by] a {second} chord on the same root",
            f"Two long organ-like chords, first {first}, then {second}",
            f"Two electronic chords [on|built on] {note(root)}: {first} first, {second} second",
            f"An organ-like sound [changes|moves] from {first} to {second} halfway through",
            f"A held {first} chord, then a {second} one, [both organ-like|on the same tones]",
        ),
    )


def beating(take: Take) -> Scene:
    """Two sines a hertz or two apart, which beat."""
    low, difference = take.between(90, 220), take.integer(1, 4)
    kind = take.pick("sine", "triangle", "organ")
    sound = tone(take, low, kind) + tone(take, low + difference, kind)
    every = "once a second" if difference == 1 else f"{number(difference)} times a second"
    return take.scene(
        soft(take, sound, 0.3, 0.5),
        ("a low pulsating drone", "two slightly detuned low tones"),
        (
            "Two low tones, slightly out of tune, beat against each other",
            f"A deep drone [pulsates|beats] {every}",
            "A low electronic drone [slowly pulsates|throbs] as two close pitches interfere",
            f"A low hum made of two tones that swells and vanishes {every}",
            "A [deep|low] droning sound waxes and wanes at an even pace",
        ),
    )


def mains_hum(take: Take) -> Scene:
    """Fifty or sixty hertz and its harmonics, as badly shielded cables pick up."""
    pitch = take.pick(50, 60)
    sound = wave(cycles(take, float(pitch)), [0.5, 1.0, 0.25, 0.5, 0.1, 0.3, 0.05, 0.15, 0.0, 0.1])
    return take.scene(
        soft(take, sound, 0.2, 0.2),
        ("a low hum like electrical mains", "a steady low buzzing hum"),
        (
            "A low hum like that of a transformer [continues|goes on] unchanged",
            f"A steady {pitch} hertz hum with many harmonics",
            "A constant electric-sounding hum [without any other event|and nothing else]",
            "Low buzzing like mains hum in a [loudspeaker|cable] [drones on|stays constant]",
            "A [deep|low], even humming sound keeps the same pitch [throughout|all along]",
        ),
    )


def glide(take: Take) -> Scene:
    """One smooth slide through a few octaves, up or down."""
    low, high = take.between(120, 240), take.between(900, 1800)
    upward, kind = take.pick(True, False), take.pick("sine", "triangle", "sawtooth")
    ends = (low, high) if upward else (high, low)
    pitch = ends[0] * (ends[1] / ends[0]) ** (curve(take, 0, 1) ** take.between(0.5, 2))
    way, begin, end = ("upward", "low", "high") if upward else ("downward", "high", "low")
    return take.scene(
        tone(take, pitch, kind),
        (f"a tone gliding {way}", f"one long slide from {begin} to {end}"),
        (
            f"A [smooth|{kind}] tone glides {way} from {begin} to {end}",
            f"One tone slides [steadily|slowly] from a {begin} pitch to a {end} pitch",
            f"The pitch of an electronic tone moves {way} [without steps|in one long sweep]",
            f"A single long {way} sweep of a {_CHARACTER[kind]} tone",
            f"An electronic sweep starts {begin} and ends {end}",
        ),
    )


def alternating(take: Take) -> Scene:
    """Two notes taking turns at an even pace."""
    midi, apart, rate = take.integer(50, 62), take.integer(5, 14), take.pick(2, 3, 4)
    upper = (take.time * rate).astype(int) % 2 == 1
    pitch = hertz(midi) * 2.0 ** (upper * apart / 12)
    return take.scene(
        tone(take, pitch, take.pick("square", "triangle", "organ")),
        ("two alternating electronic tones", "a tone jumping between two pitches"),
        (
            "Two electronic tones [alternate|take turns], one lower and one higher",
            "A tone jumps back and forth between [a low and a high pitch|two pitches] at an even pace",
            f"Low and high notes follow each other {number(rate)} to the second",
            "A synthetic tone keeps switching between a lower and a higher note",
            "An even, seesawing [pattern|alternation] of two electronic notes",
        ),
    )


def fading_note(take: Take) -> Scene:
    """One struck note that dies away."""
    midi = take.integer(43, 76)
    sound = tone(take, hertz(midi), "pluck") * decay(take, take.seconds / take.between(5, 8))
    where = register(midi)
    return take.scene(
        soft(take, sound, 0.003, 0.1),
        (f"one {where} plucked note fading away", f"a single plucked note on {note(midi)}"),
        (
            f"A single {where} [plucked|string-like] note [rings out|dies away] slowly",
            f"One plucked string-like {note(midi)} [fades away|fades into quiet]",
            f"A {where} note is struck once and [slowly decays|then dies away]",
            "One electronic string-like note gets softer and softer until it is gone",
            f"A lone plucked tone on {note(midi)} becomes quieter until [the end|it can hardly be heard]",
        ),
    )
