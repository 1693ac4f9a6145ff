"""A text as a shell reads it: simple commands, their words, and where each character of a word stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field

OPERATORS = ";&|<>()`\n"
"""What ends a word, and the command that it is a word of."""


@dataclass(slots=True)
class Word:
    """A word without its quotes, and of every character of it from where to where it stands in the text.

    after: the operator before the command that it begins.
    """

    after: str = ""
    value: str = ""
    places: list[tuple[int, int]] = field(default_factory=list)

    def add(self, letter: str, start: int, end: int) -> None:
        self.value += letter
        self.places.append((start, end))


def commands(text: str, *, operators: bool = True) -> Iterator[list[Word]]:
    """The simple commands in a text. Quotes that are not closed reach to its end. Without `operators` it is one command.

    >>> [[word.value for word in words] for words in commands("export A='x y';sh t.sh")]
    [['export', 'A=x y'], ['sh', 't.sh']]
    """
    words, word, quote, at, last = list[Word](), None, "", 0, ""
    while at < len(text):
        letter, after = text[at], text[at + 1 : at + 2]
        end = at + 1
        if quote and letter == quote:
            quote = ""
        elif letter == "\\" and after and quote != "'" and (not quote or after in '"\\$`\n'):
            end = at + 2
            (word := word or Word(last)).add(after, at, end)
        elif quote or not (letter in "\"'" or letter.isspace() or (operators and letter in OPERATORS)):
            (word := word or Word(last)).add(letter, at, end)
        elif letter in "\"'":
            quote, word = letter, word or Word(last)
        else:
            words, word, last = [*words, word] if word else words, None, "" if word or words else last
            if operators and letter in OPERATORS:
                if words:
                    yield words
                words, last = [], letter
        at = end
    if word or words:
        yield [*words, word] if word else words


def bare(word: Word, text: str) -> bool:
    """Whether the word stands in the text without quotes."""
    start = word.places[0][0] if word.places else 0
    return text[start : start + len(word.value)] == word.value and text[:start][-1:] not in ("'", '"')
