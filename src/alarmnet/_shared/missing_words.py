"""Words that mean "missing" in files and frames."""

MISSING_WORDS = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
"""Words that pandas reads as missing, in exactly this spelling: missing in every column, unless the word is one of
a column's categories. So a file means the same however it was read."""

_BESIDE_NUMBERS = (
    "- -- --- \u2013 \u2014 ? ?? . .. * # n.a. n.a n/d nil void none unknown unk missing undefined "
    "#div/0! #ref! #value! #num! #name? #null! #getting_data \\n"
)
NUMBER_WORDS = (*_BESIDE_NUMBERS.split(), "not available", *(word.casefold() for word in MISSING_WORDS))
"""Words that mean missing in a column of numbers, dates or times, in any case and with spaces around."""
_FOLDED = frozenset(NUMBER_WORDS)


def is_missing_beside_numbers(text: str) -> bool:
    """Whether a cell among numbers, dates or times says that there is none.

    >>> [is_missing_beside_numbers(text) for text in ("-", " N.A. ", "1")]
    [True, True, False]
    """
    return text.strip().casefold() in _FOLDED
