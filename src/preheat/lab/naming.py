"""What names in an experiment must be, and how text is shown: no folder of this machine, nothing that does not print."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from preheat.core.errors import PreheatError, shown

LONGEST_NAME = 60

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_ANY = r"""[^"'`\n\r|;&<>]"""  # what may stand in a path: not the quote that ends it, nor what a shell reads
_URL = r"(?!file:)\b[A-Za-z][\w+.-]{1,30}://(?!/)[^\s\"'`<>]+"
_HOME = r"~[\w.-]*[/\\]|(?:\$HOME|\$\{HOME\}|%USERPROFILE%|\$env:USERPROFILE)[/\\]"
_DRIVE = r"[A-Za-z]:[\\/](?![\\/]*[\s\"'`])|\\{2,}[\w.$-]+\\"  # C:\Users, \\server\share
_LOCAL = r"(?:file|\b[A-Za-z][\w+.-]{0,30}(?=:///)):/{1,3}[^\s\"'`]"  # file:///home
_OPTION = rf"-{{1,2}}[A-Za-z][\w-]{{0,60}}?(?=/+[^\s\"'`/]|{_HOME}|{_DRIVE}|{_LOCAL})"  # the -I of -I/home
_START = (
    rf"(?<![\w./-]){_OPTION}|{_LOCAL}"
    r"|(?<![\w./\\)\]}*%$~”’»])(?!(?<=<)/\w+>|(?<=\+)/-)/+[^\s\"'`/,;:=|&<>)\]}]"  # /home; not </b>, nor +/-
    rf"|(?<![\w./\\])(?:{_HOME}|{_DRIVE})"
)
# where another option or another path begins, this one has ended
_NEXT = rf"(?:\s+(?=--?[A-Za-z])|[\s,:;=(\[]+(?={_URL}|{_START}))"
_PLACES = re.compile(rf"(?P<url>{_URL})|(?P<start>{_START})(?P<rest>(?:(?!{_NEXT}){_ANY})*)", re.IGNORECASE)
_BEFORE = re.compile(rf"{_OPTION}|(?:file|[\w+.-]+(?=:///)):/*", re.IGNORECASE)


def slug(name: str) -> str:
    """`name` as a part of a file name; where letters of other scripts are lost, a digest tells it from other names."""
    kept = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")
    return kept if name.isascii() and kept else f"{kept or 'unnamed'}-{_digest(name)}"


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Each name as a part of a file name, no two the same on a file system that ignores case."""
    found = {name: slug(name) for name in names}
    uses = Counter(one.casefold() for one in found.values())
    return {name: one if uses[one.casefold()] == 1 else f"{one}-{_digest(name)}" for name, one in found.items()}


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:6]


def check_name(what: str, name: object) -> None:
    """Refuse a name that could not stand in a table: empty, long, or with characters that do not print."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        long = f", which has {len(name)}" if isinstance(name, str) and len(name) > LONGEST_NAME else ""
        raise PreheatError(f"{what} must be printable text of 1 to {LONGEST_NAME} characters, not {shown(name)}{long}")


def check_distinct(what: str, names: Iterable[str], write: str = "rename one") -> None:
    """Refuse a name that is given twice; write: what to do about it."""
    for name, uses in Counter(names).items():
        if uses > 1:
            raise PreheatError(f"two {what} are called {name!r}; {write}")


def printable(text: str) -> str:
    r"""`text` for a terminal or a page: colours are left out, other control characters shown as Python writes them.

    >>> printable("\x1b[31mred\x1b[0m \x07")
    'red \\x07'
    """
    if text.isprintable():
        return text
    plain = _COLOUR.sub("", text)
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in plain
    )


def titled(text: str) -> str:
    """A text of any kind as a name: on one line, without folders, printable, and cut where it is too long."""
    line = " ".join(printable(relative(text)).split()) or "unnamed"
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def relative(text: str) -> str:
    r"""A word of a command, or any text, without the folders of this machine: of an absolute path the last part stays.

    Paths are found after `=`, `:` and `,`, in quotes, after an option's letter, from `~`, as file:/// and as Windows
    writes them. Addresses of the web, relative paths and fractions stay. Blanks belong to a path as long as a `/` follows
    them: what is cut is rather too much than too little.

    >>> relative("--data=/srv/me/set one/train.txt"), relative("-I/home/me/include"), relative("https://a.org/b/c")
    ('--data=train.txt', '-Iinclude', 'https://a.org/b/c')
    >>> relative(r"C:\Users\me\x.yaml"), relative("half/full 1/2 ./data/x")
    ('x.yaml', 'half/full 1/2 ./data/x')
    """
    return "." if text == "/" else _PLACES.sub(_last_part, text)


def _last_part(found: re.Match[str]) -> str:
    """What is shown in the place of a path: what stands before it in the same word, and its last part."""
    if found["url"]:
        return found["url"]
    path = found[0]
    before = _BEFORE.match(path)
    head = before[0].rstrip("/") if before else ""
    blanks = path[len(path.rstrip()) :]
    parts = [part for part in re.split(r"[/\\]+", path[len(head) :].rstrip()) if part.strip(" .")]
    last = parts[-1] if parts else "."
    alone = (
        len(parts) == 1 and re.match(r"~|\$|%|[A-Za-z]:", last) is not None
    )  # a home, a drive: not a part of its own
    return f"{head}{'.' if alone else last}{blanks}"
