"""Whether a text is English: counted by the words that every sentence needs.

A library would bring a model of 1 MB to 100 MB to tell a hundred languages apart; one question does not need it.
"""

from __future__ import annotations

import re
import unicodedata

_WORDS = {
    "english": """the of and to in is for that on with as by at from be are was were it its this has have had will would
        not but or an after over more than up into about their they he his she her you your we our who what which when
        how why out new says said amid could may can if there been before under while against between off""",
    "spanish": """de la el los las que en del por con para una su al más se como pero sus le ya este sí porque esta
        entre""",
    "portuguese": """de da das dos que em um uma para com não os por mais na nos foi ao ele seu sua ou ser quando muito
        há já""",
    "french": """de la le les des et en du une est pour qui dans par pas sur au aux avec ce il son sa ses plus ne mais
        ou""",
    "german": """der die das und den von zu mit sich des auf für ist im dem nicht ein eine als auch es werden aus hat
        dass""",
    "italian": "di che il la le un una del per non con da al dei della nel si più anche i gli sono alla ha lo come ma",
    "dutch": "de het een van en dat te voor met zijn op niet aan er maar om ook dan zij uit bij naar heeft wordt",
    "indonesian": "yang dan di untuk dengan dari ini itu pada akan tidak ke dalam juga sebagai oleh karena bisa ada",
}
_ENGLISH, *_FOREIGN = (frozenset(text.split()) for text in _WORDS.values())
# Words that are also English say nothing.
_FOREIGN = [known - _ENGLISH for known in _FOREIGN]

_LATIN = 0.8
"""Share of Latin letters that a text needs."""

_LONG, _LEAST_SHARE = 25, 0.08
"""From so many words on, so large a share must be English function words (in running English it is 0.3 to 0.5)."""


def is_english(text: str) -> bool:
    """Return whether ``text`` is English; a headline without any function word is, if nothing speaks against it.

    >>> is_english("Soybean oil gains as exports rise"), is_english("El precio de la soja sube en Chicago")
    (True, False)
    """
    letters = [c for c in text if c.isalpha()]
    if not letters or sum(_is_latin(c) for c in letters) < _LATIN * len(letters):
        return False
    found = re.findall(r"[^\W\d_]+", text.casefold())
    english = sum(word in _ENGLISH for word in found)
    foreign = max(sum(word in known for word in found) for known in _FOREIGN)
    accented = sum(not word.isascii() for word in found)
    if foreign > english or (not english and accented > 1):
        return False
    return len(found) < _LONG or english >= _LEAST_SHARE * len(found)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")
