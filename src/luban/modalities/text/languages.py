"""Which languages texts are likely written in: by their script where it tells, else by their function words.

Function words make up a third to a half of running text and differ between languages (the idea of E. Giguet,
"Multilingual sentence categorization", 1995); a dozen or so of each are enough to name the language of a column. A
single short text often has none: it counts as ``und`` (undetermined), as ISO 639 writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from luban.modalities.text.scripts import scripts

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = "und"

_BY_SCRIPT = {
    "Hiragana": "ja",
    "Katakana": "ja",
    "Han": "zh",
    "Bopomofo": "zh",
    "Hangul": "ko",
    "Hebrew": "he",
    "Greek": "el",
    "Thai": "th",
    "Bengali": "bn",
    "Tamil": "ta",
    "Telugu": "te",
    "Gujarati": "gu",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Gurmukhi": "pa",
    "Armenian": "hy",
    "Georgian": "ka",
    "Khmer": "km",
    "Lao": "lo",
    "Myanmar": "my",
    "Sinhala": "si",
    "Tibetan": "bo",
    "Devanagari": "hi",
    "Ethiopic": "am",
}
_WORDS = {
    "en": "the of and to is that it for was on with as this be are you not have but they at from what how my your i we",
    "de": "der die das und ist nicht ein eine ich zu den mit von auf für sich dem im es wie auch wir sie aber war bei",
    "fr": "le la les et est une des du que qui dans pour pas sur au avec ce il je vous nous plus mais très c'est sont",
    "es": "el la los las y es una que en por con para del se no lo como más pero muy su al está fue son mi",
    "pt": "o os as e é uma que em por com para do da não no na se mais mas muito como foi ao são meu um",
    "it": "il lo gli e è una che di per con non del della sono nel più ma si molto come ho anche questo alla le",
    "nl": "de het een en is van niet ik dat op te met voor zijn er ook maar aan wat heb bij was deze naar je",
    "sv": "och att det är en som på inte med för av den jag till har om var ett men så vi från kan",
    "da": "og det er en at på ikke med for af den jeg til har som var et men så vi fra kan de",
    "pl": "i w nie na się z że jest do to jak ale po co tak od za przez był dla ja są już czy",
    "cs": "a je se na to že v s do ale jako jsem jsou pro za by tak po při jen už bylo není",
    "tr": "ve bir bu da de için çok ile ne ama var olarak gibi daha kadar ben o mi değil en sonra yok",
    "id": "yang dan di ini itu dengan untuk tidak dari dalam pada saya ada akan ke bisa juga kami sudah atau",
    "vi": "và là của không có cho được một những này trong với người tôi rất đã các thì khi cũng",
    "fi": "ja on ei se että en oli mutta kun hän niin myös kuin ole mitä joka tämä ovat vain minä",
    "ro": "și de la în este o cu nu pe că un mai din sunt care pentru am dar foarte fost ce",
    "hu": "a az és hogy nem is egy ez van volt de meg csak még ki mint már el ha nagyon",
    "ru": "и в не на что я с это как он по но из у за так же то все бы мы очень для от",
    "uk": "і в не на що я з це як він та але у за так же то все би ми дуже для від є",
    "bg": "и в не на че аз с това като той по но от за така е се да са много съм",
    "ar": "في من على إلى أن هذا هذه التي الذي ما لا كان مع عن هو هي كل قد لم",
    "fa": "و در به از که این را با است برای آن یک هم تا می بر بود شد ها",
}
_SETS = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def language(text: str) -> str:
    """Return the likely language of a text as an ISO 639-1 code, ``und`` where it cannot be told.

    Examples
    --------
    >>> language("Das ist nicht der Weg, den ich meine")
    'de'
    """
    found = scripts([text])
    if not found:
        return UNKNOWN
    if found.get("Hiragana", 0) + found.get("Katakana", 0) > 0.1:  # Japanese mixes them with Han
        return "ja"
    main = next(iter(found))
    if main in _BY_SCRIPT:
        return _BY_SCRIPT[main]
    words = _TOKEN.findall(text.lower())
    hits = {name: sum(word in known for word in words) for name, known in _SETS.items()}
    ranked = sorted(hits.items(), key=lambda pair: -pair[1])
    (best, most), (_, second) = ranked[0], ranked[1]
    return best if most and most > second else UNKNOWN


def languages(texts: Iterable[str | None]) -> dict[str, float]:
    """Return each language's share of the texts whose language can be told, the most frequent first."""
    counts = Counter(language(one) for one in texts if one)
    del counts[UNKNOWN]
    told = sum(counts.values())
    return {name: round(count / told, 4) for name, count in counts.most_common()}
