"""Words that generated items are made of: short, common, one meaning each."""

from __future__ import annotations

from monitor.probes.draws import Draws

NOUNS = (
    "anchor", "apple", "arrow", "barrel", "basket", "beacon", "bell", "blanket", "bottle", "branch", "bridge",
    "bucket", "button", "cabin", "cable", "camera", "candle", "canvas", "carpet", "castle", "chair", "clock",
    "copper", "cotton", "curtain", "desk", "drum", "engine", "falcon", "feather", "fence", "flute", "forest",
    "garden", "glacier", "glove", "hammer", "harbor", "helmet", "island", "jacket", "kettle", "ladder", "lantern",
    "lemon", "locker", "magnet", "maple", "marble", "meadow", "mirror", "needle", "orchard", "paddle", "pebble",
    "pencil", "pepper", "pillow", "pocket", "quarry", "rabbit", "ribbon", "river", "rocket", "saddle", "sailor",
    "salmon", "shelter", "shovel", "silver", "spoon", "stable", "tailor", "temple", "thunder", "ticket", "timber",
    "tunnel", "turtle", "valley", "velvet", "violin", "wagon", "walnut", "whistle", "willow", "window", "zipper",
)  # fmt: skip
CITIES = (
    "Accra", "Athens", "Austin", "Bergen", "Bilbao", "Bogota", "Boston", "Cairo", "Calgary", "Dakar", "Dallas",
    "Delhi", "Denver", "Dublin", "Geneva", "Ghent", "Hanoi", "Havana", "Helsinki", "Jakarta", "Kyoto", "Lagos",
    "Leeds", "Lima", "Lisbon", "Madrid", "Malmo", "Manila", "Milan", "Nairobi", "Naples", "Osaka", "Oslo", "Ottawa",
    "Perth", "Porto", "Prague", "Quito", "Riga", "Rome", "Seoul", "Sofia", "Sydney", "Tampa", "Tunis", "Turin",
    "Vienna", "Warsaw", "Zagreb", "Zurich",
)  # fmt: skip
FIRST = (
    "Ada", "Amir", "Bela", "Carla", "Chen", "Dana", "Elif", "Emil", "Farid", "Greta", "Hugo", "Ines", "Ivo", "Jana",
    "Kofi", "Lena", "Luis", "Mara", "Nadia", "Olga", "Pavel", "Rosa", "Samir", "Tara", "Umar", "Vera", "Yuki", "Zoe",
)  # fmt: skip
LAST = (
    "Adler", "Bauer", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jensen", "Kovac", "Lopez",
    "Meyer", "Nguyen", "Okafor", "Petrov", "Quinn", "Rossi", "Silva", "Tanaka", "Ueda", "Varga", "Weber", "Young",
)  # fmt: skip
STREETS = (
    "Elm St",
    "Harbour Rd",
    "Mill Lane",
    "Station Rd",
    "Park Ave",
    "Church St",
    "Lake Drive",
    "Hill St",
)
COUNTRIES = ("AT", "BR", "CA", "CH", "DE", "DK", "ES", "FR", "GB", "IT", "JP", "KE", "NG", "NL", "PT", "US")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

_OPENERS = (
    "In the morning",
    "Late in the year",
    "After the rain",
    "On most days",
    "By the old road",
    "For a while",
)
_DOERS = (
    "the clerk",
    "a visitor",
    "the keeper",
    "our neighbour",
    "the committee",
    "an apprentice",
    "the crew",
)
_DEEDS = (
    "carried",
    "repaired",
    "counted",
    "painted",
    "borrowed",
    "measured",
    "described",
    "stored",
    "cleaned",
)
_PLACES = (
    "near the gate",
    "in the hall",
    "under the stairs",
    "by the window",
    "behind the yard",
    "at the market",
)


def sentence(draws: Draws) -> str:
    """A plain sentence of 12 to 15 words that states nothing anybody asks about."""
    one, other = draws.sample(NOUNS, 2)
    return (
        f"{draws.choice(_OPENERS)} {draws.choice(_DOERS)} {draws.choice(_DEEDS)} the {one} and the {other} "
        f"{draws.choice(_PLACES)}."
    )


CHARACTERS_PER_TOKEN = 4.9
"""Of `sentence`, for the tokenizers of GPT-4, Llama 3 and Qwen 2.5: near enough, the server's count decides."""


def filler(draws: Draws, tokens: float) -> list[str]:
    """Sentences of about so many tokens together."""
    made: list[str] = []
    length = 0
    while length < tokens * CHARACTERS_PER_TOKEN:
        made.append(sentence(draws))
        length += len(made[-1]) + 1
    return made


def person(draws: Draws) -> str:
    """First and last name."""
    return f"{draws.choice(FIRST)} {draws.choice(LAST)}"
