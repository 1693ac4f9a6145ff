"""The grammar of the language: calls, numbers, strings, lists, None, signs such as `>>`, methods and brackets. Nothing else.

    schedule = product { ">>" product }            (one level for each sign, the loosest first)
    product  = postfix { "*" postfix }
    postfix  = ( word "(" arguments ")" | "(" schedule ")" ) { "." method "(" arguments ")" }
    argument = [ name "=" ] ( schedule | number | string | "None" | "[" argument { "," argument } "]" )

It knows the words that it is given, calls them with what it read, and evaluates nothing. Written by hand because Python's
own `ast` takes hundreds of times the memory of the text, fails at 1,000 parts, and lets odd Unicode through.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from preheat.core.checks import MAX_NESTING, MAX_TEXT
from preheat.core.errors import ParseError, PreheatError, nearest, shown

_TOKEN = r"""(?ax)
        (?P<number>[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)
      | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<string>'[^'\\\n]*'|"[^"\\\n]*")
      | (?P<sign>>>|[+*().,=\[\]])
      | (?P<end>$)"""
_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = 400


@cache
def _token() -> re.Pattern[str]:
    return re.compile(_TOKEN)  # when first needed: an import should not pay for it


class Language(NamedTuple):
    """What may be written: words that are called, methods of what `has_methods`, and signs between operands, the loosest
    first, each with what makes one value of a tuple of operands."""

    words: Mapping[str, Callable[..., Any]]
    methods: Mapping[str, Callable[..., Any]] = MappingProxyType({})
    signs: Sequence[tuple[str, Callable[..., Any]]] = ()
    has_methods: Callable[[Any], bool] = lambda value: False


class Reader:
    """One reading of one text; see the module for the grammar."""

    def __init__(self, text: str, language: Language) -> None:
        if not isinstance(text, str):
            raise ParseError(f"a schedule is read from text, not from {shown(text)}")
        if len(text) > MAX_TEXT:
            raise ParseError(f"the text has {len(text)} characters; at most {MAX_TEXT}")
        self.text, self.language = text, language
        self.depth = self.stop = 0
        self.advance()

    def result(self) -> Any:
        """The one value that the whole text describes."""
        value = self.argument()
        if self.kind != "end":
            self.refuse(f"{self.token!r} is left over")
        return value

    # -- tokens -----------------------------------------------------------------------------------------------------

    def advance(self) -> str:
        """Move to the next token; gives back the one that was."""
        past = self.token if self.stop else ""
        self.start = _SPACE.match(self.text, self.stop).end()  # type: ignore[union-attr]
        found = _token().match(self.text, self.start)
        if found is None:
            self.refuse(f"{self.text[self.start]!r} has no meaning here")
        self.kind, self.token, self.stop = str(found.lastgroup), found[0], max(found.end(), 1)
        return past

    def at(self, sign: str) -> bool:
        """Whether the present token is this sign."""
        return self.kind == "sign" and self.token == sign

    def expect(self, sign: str) -> None:
        """Pass over a sign that must be here."""
        if not self.at(sign):
            self.refuse(f"{sign!r} must stand here, not {shown(self.token) if self.token else 'the end'}")
        self.advance()

    def refuse(self, why: str, start: int | None = None, *, write: str = "", hint: str = "") -> NoReturn:
        """Say what is wrong and in which column."""
        what, text = f"column {(self.start if start is None else start) + 1}: {why}", f"in {shown(self.text)}"
        raise ParseError(what, write=f"{write}; {text}", hint=hint) if write else ParseError(f"{what}; {text}")

    # -- grammar ----------------------------------------------------------------------------------------------------

    def schedule(self, level: int = 0) -> Any:
        """What stands between signs that bind looser than those of this level."""
        if level == len(self.language.signs):
            return self.postfix()
        sign, join = self.language.signs[level]
        start, operands = self.start, [self.schedule(level + 1)]
        while self.at(sign):
            self.advance()
            operands.append(self.schedule(level + 1))
        return operands[0] if len(operands) == 1 else self._called(sign, partial(join, operands), start)

    def postfix(self) -> Any:
        if self.at("("):
            value = self.bracketed(")", self.schedule)
        elif self.kind == "name":
            value = self.call(self.language.words, "word")
        else:
            self.refuse(f"a schedule must stand here, not {shown(self.token) if self.token else 'the end'}")
        while self.at("."):
            if not self.language.has_methods(value):
                self.refuse("only a schedule has methods")
            self.advance()
            value = self.call(self.language.methods, "method", value)
        return value

    def call(self, known: Mapping[str, Callable[..., Any]], what: str, *first: Any) -> Any:
        start, word = self.start, self.token
        if self.kind != "name" or word not in known:
            self.refuse(f"unknown {what} {shown(word)}{nearest(word, known)}")
        self.advance()
        if not self.at("("):
            self.refuse(f"{word} must be followed by '('")
        args, kwargs = self.bracketed(")", self.arguments)
        return self._called(word, partial(known[word], *first, *args, **kwargs), start)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.at(")"):
            if (name := self.keyword()) is not None:
                if name in kwargs:
                    self.refuse(f"{name} is given twice")
                kwargs[name] = self.argument()
            elif kwargs:
                self.refuse("an argument without a name cannot follow one with a name")
            else:
                args.append(self.argument())
            if not self.at(")"):
                self.expect(",")
        return args, kwargs

    def keyword(self) -> str | None:
        """The name before a `=`, passed over, if there is one."""
        after = _SPACE.match(self.text, self.stop).end()  # type: ignore[union-attr]
        if self.kind != "name" or self.text[after : after + 1] != "=":
            return None
        name = self.advance()
        self.expect("=")
        return name

    def argument(self) -> Any:
        if self.kind == "number":
            return self.number()
        if self.kind == "string":
            return self.advance()[1:-1]
        if self.at("["):
            return self.bracketed("]", self.items)
        if self.kind == "name" and self.token == "None":
            self.advance()
            return None
        return self.schedule()

    def items(self) -> list[Any]:
        found = []
        while not self.at("]"):
            found.append(self.argument())
            if not self.at("]"):
                self.expect(",")
        return found

    def number(self) -> int | float:
        start, token = self.start, self.advance()
        if len(token) > _DIGITS:
            self.refuse(f"a number of {len(token)} characters", start)
        try:
            return float(token) if re.search("[.eE]", token) else int(token)
        except ValueError:  # underscores where none may stand
            self.refuse(f"{shown(token)} is not a number", start)

    def bracketed(self, close: str, inside: Callable[[], Any]) -> Any:
        if self.depth == MAX_NESTING:
            self.refuse(f"brackets nest at most {MAX_NESTING} deep")
        self.depth += 1
        self.advance()
        value = inside()
        self.expect(close)
        self.depth -= 1
        return value

    def _called(self, word: str, call: partial[Any], start: int) -> Any:
        """The value of a word called with what was read; whatever it refuses is refused with its column."""
        from inspect import signature  # only who reads text pays for it

        try:
            signature(call.func).bind(*call.args, **call.keywords)
        except TypeError as error:
            self.refuse(f"{word}: {error}", start)
        try:
            return call()
        except PreheatError as error:
            self.refuse(error.reason, start, write=error.write, hint=error.hint)
