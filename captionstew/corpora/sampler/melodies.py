"""Notes in a row: scales, arpeggios, tunes, bass lines."""

from captionstew.corpora.sampler.signals import cycles, decay, hertz, place, silence, soft, tone, wave
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.tones import MAJOR, MINOR, chord_of
from captionstew.corpora.sampler.words import article, note, number

_MAJOR_SCALE, _MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11, 12), (0, 2, 3, 5, 7, 8, 10, 12)
_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)


def pluck(take: Take, midi: int) -> Samples:
    """A plucked string: bright at first, darker as it decays, about a second long at most."""
    stretch = take.lasting(min(1.2, take.seconds))
    bright = tone(stretch, hertz(midi), "sawtooth") * decay(stretch, 0.05)
    return soft(stretch, bright + tone(stretch, hertz(midi), "pluck") * decay(stretch, 0.2), 0.003, 0.1)


def music_box_note(take: Take, midi: int) -> Samples:
    """A struck metal tongue: two partials far apart, the upper one short."""
    stretch = take.lasting(min(1.5, take.seconds))
    lower = wave(cycles(stretch, hertz(midi)), [1.0]) * decay(stretch, 0.25)
    upper = wave(cycles(stretch, 5.4 * hertz(midi)), [1.0]) * decay(stretch, 0.04)
    return soft(stretch, lower + 0.3 * upper, 0.002, 0.2)


def in_a_row(take: Take, sounds: list[Samples], spacing: float) -> Samples:
    """Sounds begun at an even distance; the first a moment after the beginning."""
    canvas = silence(take)
    for index, sound in enumerate(sounds):
        place(take, canvas, sound, 0.1 + index * spacing)
    return canvas


def scale(take: Take) -> Scene:
    """Eight notes of a major or minor scale, up or down, spread over the clip."""
    root, upward = take.integer(52, 67), take.pick(True, False)
    quality, steps = take.pick(("major", _MAJOR_SCALE), ("minor", _MINOR_SCALE))
    spacing = min(0.8, (take.seconds - 0.3) / 8)
    notes = [root + step for step in (steps if upward else steps[::-1])]
    kind = take.pick("plucked", "organ-like")
    held = take.lasting(spacing * 0.9)
    sounds = [pluck(take, midi) if kind == "plucked" else tone(held, hertz(midi), "organ") for midi in notes]
    way, verb = ("up", "climbs") if upward else ("down", "descends")
    name = f"{note(root)} {quality} scale"
    return take.scene(
        in_a_row(take, sounds, spacing),
        (f"{article(name)} going {way}", f"eight {kind} notes running {way} a scale"),
        (
            f"{article(name)} {verb} one octave on {kind} tones",
            f"Eight {kind} notes [run|step] {way} {article(name)}",
            f"One {quality} scale is played {way}, [one note at a time|note by note]",
            f"{article(kind)} synthetic tone {verb} a {quality} scale of eight notes",
            f"A synthetic scale in {note(root)} {quality} goes {way} step by step",
        ),
    )


def arpeggio(take: Take) -> Scene:
    """A broken triad over two octaves, again and again, up or down."""
    root, upward = take.integer(48, 60), take.pick(True, False)
    quality, triad = take.pick(("major", MAJOR), ("minor", MINOR))
    notes = [root + step + octave for octave in (0, 12) for step in triad]
    notes = notes if upward else notes[::-1]
    spacing = take.between(0.14, 0.24)
    total = int((take.seconds - 0.6) / spacing)
    way = "upward" if upward else "downward"
    name = f"{note(root)} {quality} arpeggio"
    return take.scene(
        in_a_row(take, [pluck(take, notes[index % 6]) for index in range(total)], spacing),
        (f"a fast {quality} arpeggio running {way}", f"repeated {way} arpeggios on plucked tones"),
        (
            f"{article(name)} runs {way} over and over on plucked tones",
            f"Fast plucked notes [repeat|play] {article(name)}, always {way}",
            f"A broken {quality} chord is plucked {way} [again and again|in a loop]",
            f"Quick {way} runs through the notes of {article(f'{note(root)} {quality} chord')}",
            f"A looping {way} arpeggio of [string-like|harp-like] synthetic notes in {note(root)} {quality}",
        ),
    )


def tune(take: Take) -> Scene:
    """A few pentatonic notes, counted."""
    count = take.count(4, 10, 0.45)
    key, kind = take.integer(57, 67), take.pick("plucked", "music-box-like")
    make = pluck if kind == "plucked" else music_box_note
    lift = 0 if kind == "plucked" else 17
    steps = [take.pick(*_PENTATONIC) for _ in range(count)]
    spacing = min(0.7, (take.seconds - 0.4) / count)
    how_many = number(count)
    return take.scene(
        in_a_row(take, [make(take, key + lift + step) for step in steps], spacing),
        (f"a tune of {how_many} {kind} notes", f"a short {kind} melody"),
        (
            f"A [short|simple] tune of {how_many} {kind} notes",
            f"{how_many} {kind} notes [form|make up] a little melody",
            f"A [slow|calm] {kind} melody with {how_many} notes, one after another",
            f"An [unaccompanied|unhurried] melody on {kind} tones, {how_many} notes long",
            f"A {kind} sound plays {how_many} notes in an even rhythm",
        ),
    )


def bass_line(take: Take) -> Scene:
    """Four low notes in a loop."""
    root, beat = take.integer(31, 40), 60 / take.integer(100, 150)
    steps = [0, *(take.pick(3, 5, 7, 10, 12) for _ in range(3))]
    stretch = take.lasting(beat * 0.85)
    loop = [tone(stretch, hertz(root + step), "sawtooth") for step in steps]
    total = int((take.seconds - 0.2) / beat)
    return take.scene(
        in_a_row(take, [loop[index % 4] for index in range(total)], beat),
        ("a repeating four-note bass line", "a looping synthetic bass"),
        (
            "A low synthetic bass line repeats the same four notes",
            "[Deep|Low] buzzing bass notes loop in an even rhythm",
            "A four-note synth bass pattern [goes round and round|repeats over and over]",
            "An electronic bass [plays|loops] a short riff of [low|deep] notes",
            "A steady sequence of low buzzing notes, [repeating every four notes|four to a loop]",
        ),
    )


def chord_progression(take: Take) -> Scene:
    """Four triads, one after another."""
    root = take.integer(50, 57)
    chords = take.pick(
        ((0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)),
        ((0, MAJOR), (-3, MINOR), (5, MAJOR), (7, MAJOR)),
        ((0, MINOR), (-4, MAJOR), (3, MAJOR), (-2, MAJOR)),
    )
    spacing, kind = (take.seconds - 0.2) / 4, take.pick("organ", "triangle")
    stretch = take.lasting(spacing * 0.97)
    sounds = [chord_of(stretch, root + lift, steps, kind) for lift, steps in chords]
    timbre = "organ-like" if kind == "organ" else "mellow"
    return take.scene(
        in_a_row(take, sounds, spacing),
        (f"a progression of four {timbre} chords", f"four {timbre} chords in a row"),
        (
            f"Four {timbre} chords [follow one another|are played in a row]",
            f"A slow progression of four {timbre} chords on a synthesiser",
            f"A synthesiser with {article(timbre)} sound plays four chords of equal length",
            f"Four sustained chords on {timbre} tones, one after the other",
            f"[Calm|Slow] synthetic chord music: four {timbre} chords, no drums",
        ),
    )


def drone_tune(take: Take) -> Scene:
    """Plucked notes over a held low drone."""
    root, spacing = take.integer(57, 64), take.pick(0.3, 0.4, 0.5)
    total = int((take.seconds - 0.6) / spacing)
    notes = [pluck(take, root + take.pick(*_PENTATONIC)) for _ in range(total)]
    low = tone(take, hertz(root - 24), "organ")
    return take.scene(
        0.8 * in_a_row(take, notes, spacing) + 0.35 * low,
        ("plucked notes over a low drone", "a plucked tune above one held bass note"),
        (
            "Plucked notes wander over a [low|deep] organ-like drone",
            "A plucked melody plays [on top of|above] one held bass note",
            f"A low {note(root)} is held while string-like notes are plucked above it",
            "[String-like|Harp-like] plucking in an even rhythm with a constant low tone underneath",
            "A synthetic drone with a plucked tune on top",
        ),
    )
