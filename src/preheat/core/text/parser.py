"""The grammar of the language: calls, numbers, lengths, names, strings, lists, None, signs such as `>>`, methods, brackets.

    schedule = product { ">>" product }            (one level for each sign, the loosest first)
    product  = postfix { "*" postfix }
    postfix  = ( word "(" arguments ")" | "(" schedule ")" ) { "." method "(" arguments ")" }
    argument = [ name "=" ] ( schedule | number | length | string | name | "None" | "[" argument { "," argument } "]" )
    length   = number ( "%" | unit | multiple [ unit ] )

Lengths and names may stand without quotes, because text is written in shells and YAML. A word belongs to the number before it
unless "=" or "(" follows; a name is one that the language lists and no "(" follows. Hyphens belong to names: there is no minus.

It knows the words that it is given, calls them with what it read, and evaluates nothing. Written by hand because Python's
own `ast` takes hundreds of times the memory of the text, fails at 1,000 parts, and lets odd Unicode through.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, NoReturn

from preheat.core.checks import MAX_NESTING, MAX_TEXT
from preheat.core.errors import ParseError, PreheatError, nearest, shown
from preheat.core.spans import MULTIPLES

_TOKEN = r"""(?ax)
        (?P<name>(?:[0-9]+-)?[A-Za-z_][A-Za-z_0-9]*(?:-[A-Za-z_0-9]+)*)
      | (?P<number>[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)
      | (?P<string>'[^'\\\n]*'|"[^"\\\n]*")
      | (?P<sign>>>|[+*().,=\[\]%])
      | (?P<end>$)"""
_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = 400
_MOST_BRACKETS = MAX_NESTING + 1  # one more than schedules nest: absolute(…) may stand around them
_SIGNS = "the signs are >> for what follows, +, *, brackets, commas and ="
_MEANT = {
    ">": "write >> for what follows",
    "≫": "write >> for what follows",
    "»": "write >> for what follows",
    "`": "write it without the marks",
    "-": "write a + b.scaled(-1) for a difference",
}


@cache
def _token() -> re.Pattern[str]:
    return re.compile(_TOKEN)  # when first needed: an import should not pay for it


class Language(NamedTuple):
    """What may be written: words that are called, the methods of a value, signs between operands, the loosest first, each
    with what makes one value of a tuple of operands, names that stand as arguments without quotes, and what reads a length."""

    words: Mapping[str, Callable[..., Any]]
    methods_of: Callable[[Any], Mapping[str, Callable[..., Any]]] = lambda value: {}
    signs: Sequence[tuple[str, Callable[..., Any]]] = ()
    names: Collection[str] = ()
    length: Callable[[str], Any] | None = None


class _Call(NamedTuple):
    """A call whose arguments are read: its word, what is called, and how many of its arguments stand before the word."""

    word: str
    function: Callable[..., Any]
    first: int

    @property
    def takes(self) -> list[str]:
        """The names of its arguments."""
        from inspect import signature  # only a refusal pays for it

        return list(signature(self.function).parameters)[self.first :]

    def is_whole(self, args: list[Any], kwargs: dict[str, Any]) -> bool:
        """Whether it may be called with these arguments alone."""
        from inspect import signature

        try:
            signature(self.function).bind(*[None] * self.first, *args, **kwargs)
        except TypeError:
            return False
        return True


class Reader:
    """One reading of one text; see the module for the grammar."""

    def __init__(self, text: str, language: Language) -> None:
        if not isinstance(text, str):
            raise ParseError(f"a schedule is read from text, not from {shown(text)}")
        if len(text) > MAX_TEXT:
            raise ParseError(f"the text has {len(text)} characters; at most {MAX_TEXT}")
        self.text, self.language = text, language
        self.depth = self.stop = 0
        self.calls: list[_Call] = []  # those whose brackets are open
        self.advance()

    def result(self) -> Any:
        """The one value that the whole text describes."""
        value = self.argument()
        if self.kind != "end":
            self.refuse(f"{self.token!r} is left over", write="write >> before what follows")
        return value

    # -- tokens -----------------------------------------------------------------------------------------------------

    def advance(self) -> str:
        """Move to the next token; gives back the one that was."""
        past = self.token if self.stop else ""
        self.start = _SPACE.match(self.text, self.stop).end()  # type: ignore[union-attr]
        found = _token().match(self.text, self.start)
        if found is None:
            sign = self.text[self.start]
            self.refuse(f"{sign!r} has no meaning here", write=_MEANT.get(sign, _SIGNS))
        self.kind, self.token, self.stop = str(found.lastgroup), found[0], max(found.end(), 1)
        return past

    def at(self, sign: str) -> bool:
        """Whether the present token is this sign."""
        return self.kind == "sign" and self.token == sign

    def expect(self, sign: str) -> None:
        """Pass over a sign that must be here."""
        if not self.at(sign):
            self.refuse_instead_of(repr(sign))
        self.advance()

    def separated(self, close: str) -> None:
        """Pass over the comma after an argument, which is not the last."""
        if not self.at(close) and not self.at(","):
            self.refuse_instead_of(repr(close) if self.kind == "end" else f"',' or {close!r}")
        if self.at(","):
            self.advance()

    def begins_nothing(self) -> bool:
        """Whether no argument begins with the present token."""
        return self.kind == "end" or (self.kind == "sign" and self.token not in "([")

    def refuse_instead_of(self, what: str, more: str = "") -> NoReturn:
        """Refuse the present token, for something else must stand here."""
        self.refuse(f"{what} must stand here, not {shown(self.token) if self.token else 'the end'}{more}")

    def refuse(self, why: str, start: int | None = None, *, write: str = "", hint: str = "") -> NoReturn:
        """Say what is wrong and in which column."""
        column = self.start if start is None else start
        what, text = f"column {column + 1}: {why}", f"in {shown(self.text)}"
        if write:
            raise ParseError(what, write=f"{write}; {text}", hint=hint, column=column)
        raise ParseError(f"{what}; {text}", column=column)

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
        return operands[0] if len(operands) == 1 else self.called(sign, partial(join, operands), start)

    def postfix(self) -> Any:
        if self.at("("):
            value = self.bracketed(")", self.schedule)
        elif self.kind == "name":
            value = self.call(self.language.words, "word")
        else:
            write = f"write hold({self.token})" if self.kind == "number" else ""
            self.refuse(
                f"a schedule must stand here, not {shown(self.token) if self.token else 'the end'}", write=write
            )
        while self.at("."):
            if not (methods := self.language.methods_of(value)):
                self.refuse("only a schedule has methods")
            self.advance()
            value = self.call(methods, "method", value)
        return value

    def call(self, known: Mapping[str, Callable[..., Any]], what: str, *first: Any) -> Any:
        start, word = self.start, self.token
        if self.kind != "name" or word not in known:
            self.refuse_module()
            number, minus, after = word.partition("-")
            if minus and number.isdigit() and after in known:
                self.refuse(
                    "there is no minus between schedules", write=f"write hold({number}) + {after}(…).scaled(-1)"
                )
            self.refuse(f"unknown {what} {shown(word)}{nearest(word, known)}")
        if not self.followed("("):
            self.refuse(f"{word} must be followed by '('", write=f"write {word}(…)")
        self.advance()
        self.calls.append(_Call(word, known[word], len(first)))
        args, kwargs = self.bracketed(")", self.arguments)
        self.calls.pop()
        return self.called(word, partial(known[word], *first, *args, **kwargs), start, len(first))

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.at(")"):
            if (name := self.keyword()) is not None:
                if name in kwargs:
                    self.refuse(f"{name} is given twice")
                if self.begins_nothing():
                    self.refuse_instead_of(f"the value of {name}")
                kwargs[name] = self.argument()
            else:
                if self.begins_nothing():
                    call = self.calls[-1]
                    end = " or ')'" if call.is_whole(args, kwargs) else ""
                    self.refuse_instead_of(f"an argument of {call.word}{end}", _taken(call))
                if self.kind == "name" and self.token not in self.language.names and not self.followed("("):
                    self.refuse_no_argument(self.calls[-1])
                if kwargs:
                    self.refuse("an argument without a name cannot follow one with a name")
                args.append(self.argument())
            self.separated(")")
        return args, kwargs

    def refuse_no_argument(self, call: _Call) -> None:
        """Refuse a name that stands for no value, where an argument must: it may be the name of one, or its beginning."""
        token, takes = self.token, call.takes
        if token == "None":
            return
        self.refuse_module()
        if token in takes:
            self.refuse(f"{token} is an argument of {call.word}, and has no value here", write=f"write {token}=…")
        if len(begun := [name for name in takes if name.startswith(token)]) == 1:
            self.refuse(f"unknown name {shown(token)}; did you mean '{begun[0]}='?")
        if token in self.language.words:
            self.refuse(f"{token} must be followed by '('", write=f"write {token}(…)")
        near = nearest(token, {*self.language.names, *self.language.words, *(f"{name}=" for name in takes)})
        self.refuse(f"unknown name {shown(token)}{near if 'did you mean' in near else _taken(call)}")

    def refuse_module(self) -> None:
        """Refuse a word as Python takes it from a module: `ph.warmup("5%")`."""
        found = re.match(r"\s*\.\s*(\w+)", self.text[self.stop :])
        if found and self.token not in self.language.words and found[1] in self.language.words:
            self.refuse(f"words stand here without their module, {self.token}", write=f"write {found[1]}")

    def keyword(self) -> str | None:
        """The name before a `=`, passed over, if there is one."""
        if self.kind != "name" or not self.followed("="):
            return None
        name = self.advance()
        self.expect("=")
        return name

    def followed(self, signs: str) -> bool:
        """Whether the next character after the present token is one of these."""
        after = _SPACE.match(self.text, self.stop).end()  # type: ignore[union-attr]
        return after < len(self.text) and self.text[after] in signs

    def argument(self) -> Any:
        if self.kind == "number":
            return self.no_operand(self.token, self.number_or_length())
        if self.kind == "string":
            return self.advance()[1:-1]
        if self.at("["):
            return self.bracketed("]", self.items)
        if self.kind == "name" and not self.followed("("):
            return self.no_operand(self.token, self.name())
        return self.schedule()

    def name(self) -> str | None:
        """A name that stands for itself."""
        token, known = self.token, {*self.language.names, *self.language.words}
        if token in self.language.words and token not in self.language.names:
            self.refuse(f"{token} must be followed by '('", write=f"write {token}(…)")
        if token not in known and token != "None":
            self.refuse_module()
            self.refuse(f"unknown name {shown(token)}{nearest(token, known)}")
        return None if self.advance() == "None" else token

    def no_operand(self, token: str, value: Any) -> Any:
        """A number or a name, which no operator and no method takes."""
        if self.at(".") or any(self.at(sign) for sign, _ in self.language.signs):
            word = (
                f"{token}()" if token in self.language.words else f"hold({token})" if not isinstance(value, str) else ""
            )
            self.refuse(
                f"{self.token!r} follows a schedule, and {token} is none", write=f"write {word}" if word else ""
            )
        return value

    def number_or_length(self) -> Any:
        """A number, or a length where a sign of percent or a word stands behind it."""
        start, text, number = self.start, self.token, self.number()
        if self.language.length is None or not (self.at("%") or self.is_unit()):
            return number
        text += self.advance()
        if text[-1] in MULTIPLES and self.is_unit():
            text += f" {self.advance()}"
        try:
            return self.language.length(text)
        except PreheatError as error:
            self.refuse(error.reason, start, write=error.write)

    def is_unit(self) -> bool:
        """Whether the present token is a word that belongs to the number before it."""
        return self.kind == "name" and not self.followed("=(")

    def items(self) -> list[Any]:
        found = []
        while not self.at("]"):
            if self.begins_nothing():
                self.refuse_instead_of("a value or ']'")
            found.append(self.argument())
            self.separated("]")
        return found

    def number(self) -> int | float:
        start, token = self.start, self.advance()
        if len(token) > _DIGITS:
            self.refuse(f"a number of {len(token)} characters", start)
        if re.match("[+-]?0[0-9_]", token):  # as what follows a comma that was to part the thousands
            thousands = re.fullmatch("[0-9]{3}", token) and self.text[:start].rstrip(" ").endswith(",")
            plain = re.sub("^([+-]?)[0_]+(?=[0-9])", r"\1", token)
            write = "write 1000 or 1_000, without a comma, for a thousand" if thousands else f"write {plain}"
            self.refuse(f"{shown(token)} begins with a 0", start, write=write)
        try:
            return float(token) if re.search("[.eE]", token) else int(token)
        except ValueError:  # underscores where none may stand
            self.refuse(f"{shown(token)} is not a number", start)

    def bracketed(self, close: str, inside: Callable[[], Any]) -> Any:
        if self.depth == _MOST_BRACKETS:
            self.refuse(f"brackets nest at most {MAX_NESTING} deep")
        self.depth += 1
        self.advance()
        value = inside()
        self.expect(close)
        self.depth -= 1
        return value

    def called(self, word: str, call: partial[Any], start: int, own: int = 0) -> Any:
        """The value of a word called with what was read; whatever it refuses is refused with its column. own: how many
        of its arguments are not written there."""
        from inspect import signature  # only who reads text pays for it

        known = signature(call.func).parameters
        for name in call.keywords:
            if name not in known:
                self.refuse(f"{word} has no argument {name!r}{nearest(name, known)}", start)
        try:
            signature(call.func).bind(*call.args, **call.keywords)
        except TypeError as error:
            write = f"its arguments are {', '.join([*known][own:]) or 'none'}"
            self.refuse(f"the arguments of {word} do not fit: {error}", start, write=write)
        try:
            return call()
        except PreheatError as error:
            self.refuse(error.reason, start, write=error.write, hint=error.hint)


def _taken(call: _Call) -> str:
    """The arguments of a call, to be said after what is wrong."""
    takes = call.takes
    return f"; {call.word} takes {', '.join(takes)}" if takes else f"; {call.word} takes none"
