#!/usr/bin/env python3
"""The rules of `schema` a second time, in plain Python: writes the shared test vectors beside itself.

Every engine that ranks (the Rust rule, the hub's index and SQLite, Postgres) is held against these files, so what
they expect must not come from any of the engines. `generate.py --check` only compares.
"""

import json
import math
import pathlib
import random
import struct
import sys
import uuid
from fractions import Fraction

HERE = pathlib.Path(__file__).parent
NOW = 1_800_000_000_000
HOUR = 3_600_000
FIXED_ONE = 2**32


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] + a[4] * b[4] + 0.0


def unit(a):
    norm = math.sqrt(dot(a, a))
    if not (1e-6 < norm < math.inf):
        return None
    return [value / norm for value in a]


# --- rank -----------------------------------------------------------------------------------------------------


def is_resting(song, now, window):
    at = song["last_played_at"]
    return at is not None and max(now - at, 0) < window


def penalty(song, now, window):
    at = song["last_played_at"]
    if at is None or window == 0:
        return 0.0
    return math.exp(-max(now - at, 0) / window)


def order(places):
    groups = {"rested": 0, "unknown": 1, "resting": 2}

    def key(place):
        group = groups[place["standing"]]
        oldest_first = place["last_played_at"] if group == 2 else 0
        return group, oldest_first, -place["score"], place["id"]

    places.sort(key=key)
    return [{"id": p["id"], "standing": p["standing"], "score": p["score"]} for p in places]


def place(song, now, window, score):
    standing = "rested" if song["embedding"] else "unknown"
    if is_resting(song, now, window):
        standing = "resting"
    return {**song, "standing": standing, "score": score}


def rank(vibe, songs, now, window):
    def score(song):
        similarity = dot(vibe, unit(song["embedding"])) if song["embedding"] else 0.0
        return similarity - penalty(song, now, window)

    return order([place(song, now, window, score(song)) for song in songs])


def rank_plan(query, songs, now, window):
    direction = unit(query)

    def score(song):
        if direction is None or song["embedding"] is None:
            return -1.0
        return dot(direction, unit(song["embedding"])) - 1.0

    return order([place(song, now, window, score(song)) for song in songs])


def song(number, embedding, ago=None):
    return {
        "id": str(uuid.UUID(int=(0x0190_0000_0000_7000_8000 << 48) + number)),
        "embedding": embedding,
        "last_played_at": None if ago is None else NOW - ago,
    }


CALM, BRIGHT = [-1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]
LOUD = [1.0, 0.0, 0.0, 0.0, 0.0]
MIXED = [0.5, 0.5, -0.25, 0.0, 0.125]


def hand_made():
    """(name, vibe, window, songs): the corners, each small enough to check by eye."""
    window = 4 * HOUR
    five = [
        song(5, LOUD),
        song(4, MIXED, 6 * HOUR),
        song(3, BRIGHT, 5 * HOUR),
        song(2, CALM),
        song(1, [0.875, 0.125, 0.0, 0.0, 0.0], 1 * HOUR),
    ]
    yield "five songs", [0.8, 0.2, 0.0, 0.0, 0.0], window, five
    yield "zero vibe", [0.0] * 5, window, five
    yield "opposite tastes cancel out", [0.5 - 0.5, 0.25 - 0.25, 0.0, 0.0, 0.0], window, five
    yield "empty room without a profile", [0.0] * 5, window, [song(9, LOUD), song(8, None), song(7, CALM)]
    yield "a vibe too short to have a direction", [1e-9, 0.0, 0.0, 0.0, 0.0], window, five
    yield "one song", LOUD, window, [song(1, CALM)]
    yield "one song that rests", LOUD, window, [song(1, LOUD, HOUR)]
    yield "no song", LOUD, window, []
    yield "all rest: the oldest play first, whatever it is like", LOUD, window, [
        song(1, LOUD, 10 * 60_000),
        song(2, CALM, 3 * HOUR),
        song(3, MIXED, 2 * HOUR),
        song(4, None, 2 * HOUR + 1),
    ]
    yield "all rest since the same moment: score, then id", LOUD, window, [
        song(4, LOUD, HOUR), song(3, CALM, HOUR), song(2, LOUD, HOUR), song(1, None, HOUR),
    ]
    yield "a tiny library with a short window", BRIGHT, 9 * 60_000, [
        song(1, BRIGHT, 3 * 60_000), song(2, LOUD, 6 * 60_000), song(3, CALM, 9 * 60_000), song(4, MIXED, 12 * 60_000),
    ]
    yield "ties break by id", LOUD, window, [song(n, LOUD) for n in (7, 3, 9, 1, 5)]
    yield "only the direction counts, not the length", LOUD, window, [
        song(3, [0.5, 0.5, 0.0, 0.0, 0.0]), song(2, [2.0, 2.0, 0.0, 0.0, 0.0]), song(1, [0.0, 0.25, 0.0, 0.0, 0.0]),
    ]
    yield "songs without an embedding stand behind the rested, before the resting", LOUD, window, [
        song(1, None), song(2, CALM), song(3, None, 5 * HOUR), song(4, LOUD, HOUR), song(5, None, HOUR),
    ]
    yield "a song has rested when the window is exactly over", LOUD, window, [
        song(1, LOUD, 4 * HOUR), song(2, LOUD, 4 * HOUR - 1), song(3, LOUD, 4 * HOUR + 1),
    ]
    yield "a play from the future counts as just now", LOUD, window, [song(1, LOUD, -HOUR), song(2, CALM)]
    yield "no rest at all", LOUD, 0, [song(1, LOUD, 0), song(2, MIXED, HOUR), song(3, CALM)]


def generated(seed, n, grid):
    """A larger library. Scores that are not meant to tie lie well apart, so that f32 engines can agree."""
    chance = random.Random(seed)
    vibe = [chance.randrange(-128, 129) / 256 for _ in range(5)]
    window, songs, taken = 4 * HOUR, [], {"rank": [], "plan": []}

    def lies_apart(candidate):
        place_in = {"rank": rank(vibe, [candidate], NOW, window)[0]["score"],
                    "plan": rank_plan(vibe, [candidate], NOW, window)[0]["score"]}
        if any(0 < abs(place_in[rule] - other) < 2e-5 for rule in taken for other in taken[rule]):
            return False
        for rule in taken:
            taken[rule].append(place_in[rule])
        return True

    number = 0
    while len(songs) < n:
        number += 1
        step = 128 if grid else 1
        embedding = [chance.randrange(-256, 257) // step * step / 256 for _ in range(5)]
        if not any(embedding) or chance.random() < 0.02:
            embedding = None
        played = chance.random() < 0.4
        ago = chance.choice([chance.randrange(0, 4 * HOUR), chance.randrange(4 * HOUR, 40 * HOUR)])
        candidate = song(number * 7919 % 100_003, embedding, ago if played else None)
        if lies_apart(candidate):
            songs.append(candidate)
    return vibe, window, songs


def rank_cases(rule):
    for name, vibe, window, songs in hand_made():
        yield name, vibe, window, songs, rule(vibe, songs, NOW, window)
    for seed, n, grid in ((1, 60, False), (2, 300, False), (3, 300, True)):
        vibe, window, songs = generated(seed, n, grid)
        name = f"{n} generated songs{' with many ties' if grid else ''}"
        yield name, vibe, window, songs, rule(vibe, songs, NOW, window)


def rank_file(rule):
    return [
        {"name": name, "now": NOW, "window_ms": window, "vibe": vibe, "songs": songs, "expect": expect}
        for name, vibe, window, songs, expect in rank_cases(rule)
    ]


# --- taste ----------------------------------------------------------------------------------------------------


def fixed_unit(embedding):
    def fixed(value):
        exact = Fraction(value) * FIXED_ONE
        away_from_zero = math.floor(abs(exact) + Fraction(1, 2))
        return away_from_zero if exact >= 0 else -away_from_zero

    return [fixed(value) for value in unit([f32(value) for value in embedding])]


def fold(votes):
    state = {"n_like": 0, "sum_like": [0] * 5, "n_dislike": 0, "sum_dislike": [0] * 5}
    for vote in votes:
        state["n_" + vote["value"]] += 1
        total = state["sum_" + vote["value"]]
        for axis, value in enumerate(fixed_unit(vote["embedding"])):
            total[axis] += value
    return state


def taste(state, prior):
    total = [0.0] * 5
    direction = unit(prior) if prior else None
    if direction:
        total = [t + 2.0 * p for t, p in zip(total, direction)]
    total = [t + like / FIXED_ONE for t, like in zip(total, state["sum_like"])]
    total = [t + -0.5 * (dislike / FIXED_ONE) for t, dislike in zip(total, state["sum_dislike"])]
    return unit(total)


def taste_cases():
    like = lambda *embedding: {"value": "like", "embedding": list(embedding)}
    dislike = lambda *embedding: {"value": "dislike", "embedding": list(embedding)}
    profile = [0.5, 0.0, 0.0, 0.5, 0.0]
    yield "no vote, no profile: no taste", [], None
    yield "no vote: the profile's direction", [], profile
    yield "one like", [like(0.25, 0.5, -0.75, 0.125, 1.0)], None
    yield "one dislike points away", [dislike(0.25, 0.5, -0.75, 0.125, 1.0)], None
    yield "a like of a long vector weighs no more", [like(0.01, 0.0, 0.0, 0.0, 0.0), like(0.0, 900.0, 0.0, 0.0, 0.0)], None
    yield "opposite likes cancel out", [like(0.3, 0.4, 0.1, 0.0, 0.2), like(-0.3, -0.4, -0.1, 0.0, -0.2)], None
    yield "likes, a dislike and a profile", [like(0.3, 0.4, 0.1, 0.0, 0.2), like(0.1, -0.9, 0.7, 0.3, 0.0), dislike(-0.5, 0.25, 0.1, 0.9, 0.9)], profile
    chance = random.Random(4)
    many = [
        (like if chance.random() < 0.7 else dislike)(*(f32(chance.uniform(-1, 1)) for _ in range(5))) for _ in range(40)
    ]
    yield "forty votes", many, profile


def taste_file():
    cases = []
    for name, votes, prior in taste_cases():
        state = fold(votes)
        cases.append({"name": name, "votes": votes, "prior": prior, "state": state, "taste": taste(state, prior)})
    return cases


# --- vibe, fairness, rest -------------------------------------------------------------------------------------


def vibe_of(room):
    present = [one for one in room if one["weight"] > 0]
    if not any(one["taste"] for one in present):
        return None
    total = sum(one["weight"] for one in present)
    axes = [0.0] * 5
    for one in present:
        if one["taste"]:
            axes = [a + one["weight"] / total * t for a, t in zip(axes, one["taste"])]
    return {"axes": axes, "consensus": min(math.sqrt(dot(axes, axes)), 1.0)}


def vibe_file():
    person = lambda weight, taste: {"weight": weight, "taste": taste}
    slanted = unit([0.5, 0.5, -0.25, 0.0, 0.125])
    rooms = {
        "nobody": [],
        "one": [person(1.0, LOUD)],
        "one who has not voted": [person(1.0, None)],
        "two of one mind": [person(1.0, slanted), person(0.5, slanted)],
        "two opposite": [person(1.0, LOUD), person(1.0, CALM)],
        "two opposite, one fading": [person(1.0, LOUD), person(0.25, CALM)],
        "one voter among four weighs a quarter": [person(1.0, LOUD)] + [person(1.0, None)] * 3,
        "the expired do not count": [person(0.0, CALM), person(1.0, BRIGHT)],
        "three ways": [person(1.0, LOUD), person(0.7, BRIGHT), person(0.4, slanted)],
    }
    presences = [
        {"now": NOW, "last_seen_at": NOW - ago, "expires_at": NOW + left, "weight": weight}
        for ago, left, weight in [
            (0, HOUR, 1.0),
            (HOUR // 2, HOUR, math.exp(-1)),
            (3 * HOUR, HOUR, math.exp(-6)),
            (0, 0, 0.0),
            (0, -1, 0.0),
            (-HOUR, HOUR, 1.0),
        ]
    ]
    return {
        "rooms": [{"name": name, "room": room, "vibe": vibe_of(room)} for name, room in rooms.items()],
        "presences": presences,
    }


def fairness_file():
    debts = []
    for name, fairness, heard in [
        ("before the first song", 0.5, []),
        ("as good as the others", 0.5, [(0.4, 0.4)] * 3),
        ("worse off", 0.5, [(-0.2, 0.4), (0.1, 0.3), (-0.6, 0.2), (-0.1, 0.1)]),
        ("better off", 0.5, [(0.9, 0.4), (0.8, 0.3)]),
        ("far worse off: at most three times", 1.0, [(-1.0, 0.8)] * 9),
        ("far better off: at least a third", 1.0, [(1.0, -0.8)] * 9),
        ("without fairness nothing changes", 0.0, [(-1.0, 0.8)] * 9),
    ]:
        owed = sum(mean - cosine for cosine, mean in heard)
        factor = min(max(math.exp(3 * fairness * owed / math.sqrt(max(1, len(heard)))), 1 / 3), 3.0)
        run, longest = 0, 0
        for cosine, _ in heard:
            run = run + 1 if cosine < 0 else 0
            longest = max(longest, run)
        debts.append({"name": name, "fairness": fairness, "heard": heard, "owed": owed, "factor": factor,
                      "drought": run, "longest_drought": longest})
    misery = []
    for fairness, tastes, direction in [
        (0.5, [], LOUD), (0.5, [LOUD], LOUD), (0.5, [LOUD, CALM], LOUD), (1.0, [CALM], LOUD), (0.0, [CALM], LOUD),
        (0.5, [unit([-0.6, 0.8, 0.0, 0.0, 0.0]), BRIGHT], LOUD),
    ]:
        lowest = min((dot(one, direction) for one in tastes), default=math.inf)
        misery.append({"fairness": fairness, "tastes": tastes, "song": direction,
                       "misery": 2 * fairness * max(0.0, -0.5 - lowest)})
    return {"debts": debts, "misery": misery}


def rest_file():
    windows = [
        {"penalty_ms": hours * HOUR, "library_ms": library, "window_ms": min(hours * HOUR, library * 60 // 100)}
        for hours, library in [(4, 100 * HOUR), (4, HOUR), (1, 0), (48, 80 * HOUR), (4, 400 * 1_000)]
    ]
    songs = [
        {"ago_ms": ago, "window_ms": window, "resting": max(ago, 0) < window,
         "penalty": math.exp(-max(ago, 0) / window) if window else 0.0}
        for ago, window in [(0, HOUR), (HOUR - 1, HOUR), (HOUR, HOUR), (10 * HOUR, HOUR), (-HOUR, HOUR), (0, 0)]
    ]
    return {"now": NOW, "windows": windows, "songs": songs}


def write(cases):
    """One case a line: changes stay readable."""
    if isinstance(cases, list):
        return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
    return json.dumps(cases, indent=1) + "\n"


def main():
    files = {
        "rank": rank_file(rank), "rank_plan": rank_file(rank_plan), "taste": taste_file(),
        "vibe": vibe_file(), "fairness": fairness_file(), "rest": rest_file(),
    }
    stale = []
    for name, cases in files.items():
        path = HERE / f"{name}.json"
        if "--check" not in sys.argv:
            path.write_text(write(cases))
        elif not path.exists() or path.read_text() != write(cases):
            stale.append(path.name)
    if stale:
        sys.exit(f"not what generate.py writes: {', '.join(stale)}")


main()
