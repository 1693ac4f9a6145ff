"""Formulas as docstrings write them, `s(t) = start + (end − start) · t/n`, as MathML; what is not one is left as it is."""

import ast
import re
from html import escape

_SUPER = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ᵏᵖᵈᵀⁿⁱᵒʷᵉʳ", "0123456789−+kpdTniower", strict=True))
_SUB = dict(zip("₀₁₂₃₄₅₆₇₈₉ₖₜ∞", "0123456789kt∞", strict=True))
_OPEN, _CLOSE = {"(": ")", "[": "]", "{": "}", "⌊": "⌋"}, frozenset(")]}⌋")
_RELATIONS = frozenset("=<>≤≥←≈→")
_TOKEN = re.compile(
    rf"""(?P<gap>[ ]{{2,}}) | (?P<space>[ ]) | (?P<text>"[^"]*"|`[^`]*`) | (?P<number>\d+(?:\.\d+)?|[½¼])
    | (?P<name>[Α-Ωα-ω]\u0304?′?(?:_(?=[^\W_])\w+)?|[A-Za-z]\u0304?(?:[A-Za-z]|_(?=[A-Za-z]))*′?)
    | (?P<super>[{"".join(_SUPER)}]+) | (?P<sub>[{"".join(_SUB)}]+|_(?=\{{))
    | (?P<root>√) | (?P<open>[(\[{{⌊]) | (?P<close>[)\]}}⌋]) | (?P<sign>[-=+−·*/^,;:<>≤≥←≈→…])""",
    re.VERBOSE,
)
_IS_ONE = re.compile(r"\w[\w₀-₉′\u0304]*(?:\(\w+\))? (?:=|←) ")


def formulas(block: str) -> list[str] | None:
    """Each line of a block as MathML, or None if it is code, a table or anything else that is no formula."""
    lines = [line.strip() for line in block.splitlines()]
    if not _IS_ONE.match(lines[0]) or "#" in block or _is_code("\n".join(lines)):
        return None
    try:
        return [f'<math display="block">{_Reader(line).whole()}</math>' for line in lines]
    except ValueError:
        return None


def _is_code(text: str) -> bool:
    try:
        ast.parse(text.replace("…", "..."))
    except SyntaxError:
        return False
    return True


class _Reader:
    """A row of factors, signs and words, read once from left to right: fractions, powers, indices and roots are built."""

    def __init__(self, line: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(line):
            found = _TOKEN.match(line, at)
            if found is None:
                raise ValueError(line[at:])
            self.tokens.append((str(found.lastgroup), found[0]))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def whole(self) -> str:
        row = self.row()
        if self.peek()[0] != "end":
            raise ValueError("a bracket is closed that was not opened")
        return row

    def row(self) -> str:
        """Up to the end, or a closing bracket."""
        parts: list[str] = []
        was_factor = False
        while self.peek()[0] not in ("end", "close"):
            kind, text = self.peek()
            if kind in ("space", "gap"):
                self.take()
                if kind == "gap":
                    parts.append('<mspace width="2em"/>')
                elif was_factor and self.peek()[0] not in ("sign", "end", "close"):
                    parts.append('<mspace width="0.33em"/>')
            elif kind == "sign":
                self.take()
                parts.append(self.sign(text, begins=not was_factor))
                was_factor = False
            else:
                parts.append(self.quotient())
                was_factor = True
        return "".join(parts)

    def sign(self, text: str, *, begins: bool) -> str:
        if begins and text in "−-+":
            return f'<mo form="prefix">{"−" if text == "-" else text}</mo>'
        return f"<mo>{escape(text)}</mo>"

    def quotient(self) -> str:
        """Factors that touch, over factors that touch: 2kβ/(1 − β)."""
        above = self.touching()
        while self._skips_to("/"):
            below = self.touching()
            above = f"<mfrac>{_bare(above)}{_bare(below)}</mfrac>"
        return above

    def _skips_to(self, sign: str) -> bool:
        at = self.at
        while self.peek()[0] == "space":
            self.take()
        if self.peek() != ("sign", sign):
            self.at = at
            return False
        self.take()
        while self.peek()[0] == "space":
            self.take()
        return True

    def touching(self) -> str:
        factors = [self.power()]
        while self.peek()[0] in ("name", "number", "root", "open") and self.tokens[self.at - 1][0] not in (
            "space",
            "gap",
        ):
            factors.append(self.power())
        return factors[0] if len(factors) == 1 else f"<mrow>{''.join(factors)}</mrow>"

    def power(self) -> str:
        base = self.atom()
        while True:
            kind, text = self.peek()
            if kind == "super":
                self.take()
                base = f"<msup>{base}{_plain(''.join(_SUPER[one] for one in text))}</msup>"
            elif (kind, text) == ("sign", "^"):
                self.take()
                base = f"<msup>{base}{_bare(self.exponent())}</msup>"
            else:
                return base

    def exponent(self) -> str:
        if self.peek()[0] == "sign" and self.peek()[1] in "−-":
            self.take()
            return f"<mrow><mo>−</mo>{self.atom()}</mrow>"
        return self.power()

    def atom(self) -> str:
        kind, text = self.take() if self.peek()[0] != "end" else ("end", "")
        if kind == "number":
            atom = f"<mn>{text}</mn>"
        elif kind == "text":
            atom = f"<mtext>{escape(text.strip('`'))}</mtext>"
        elif kind == "name":
            atom = _name(text)
        elif kind == "root":
            while self.peek()[0] == "space":
                self.take()
            atom = f"<msqrt>{_bare(self.power())}</msqrt>"
        elif kind == "open":
            atom = self.bracket(text)
        else:
            raise ValueError(text)
        if self.peek()[0] == "sub":
            _, index = self.take()
            atom = f"<msub>{atom}{_bare(self.atom()) if index == '_' else _plain(''.join(_SUB[one] for one in index))}</msub>"
        return atom

    def bracket(self, opened: str) -> str:
        inside = self.row()
        if self.peek() != ("close", _OPEN[opened]):
            raise ValueError("a bracket that is not closed")
        self.take()
        return f"<mrow><mo>{opened}</mo><mrow>{inside}</mrow><mo>{_OPEN[opened]}</mo></mrow>"


def _plain(text: str) -> str:
    """Digits, a sign or a letter, as an index or a power."""
    tag = "mn" if text.isdigit() else "mo" if text == "∞" else "mi"
    return f"<{tag}>{text}</{tag}>"


def _name(text: str) -> str:
    """A name, whose index follows an underscore where the letter before it is alone: t_spike, but base_lr."""
    head, _, index = text.partition("_")
    if index and len(head) == 1:
        return f"<msub><mi>{head}</mi><mi>{index}</mi></msub>"
    return f"<mi>{text}</mi>"


def _bare(node: str) -> str:
    """Without the brackets that a fraction, a power or a root makes needless."""
    inside = re.fullmatch(r"<mrow><mo>[({]</mo>(.*)<mo>[)}]</mo></mrow>", node)
    if inside is None or _unbalanced(inside[1]):
        return node
    return inside[1]


def _unbalanced(text: str) -> bool:
    depth = 0
    for one in re.findall(r"</?mrow>", text):
        depth += 1 if one == "<mrow>" else -1
        if depth < 0:
            return True
    return False
