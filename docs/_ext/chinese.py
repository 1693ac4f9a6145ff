"""The pages below docs/zh: they say that they are Chinese, so that a browser takes the right glyphs, and the search finds them.

Chinese has no spaces between words, and telling words apart takes a dictionary. The search goes by pairs of neighbouring
characters instead: 学习率 is indexed, and looked for, as 学习 and 习率. So a page is found by any word that stands on it.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

FOLDER, LANGUAGE = "zh/", "zh-CN"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TERMS = (  # a term before another that it begins with
    "学习率|余弦退火|阶梯衰减|权重衰减|梯度累积|置信区间|验证损失|随机种子|稳定阶段|调度器|优化器|参数组|超参数|检查点|"
    "预训练|预热|调度|峰值|衰减|余弦|续训|微调|损失|发散|倍率|更新"
)
_PIECE = re.compile(rf"[{_HAN}]+|[^{_HAN}]+")
_IS_HAN = re.compile(rf"[{_HAN}]")


class Search(SearchEnglish):
    """English words, and Chinese in pairs of characters: in Python for the index, in JavaScript for what is typed.

    What is typed is first cut at the words of the field, so that 学习率预热 finds a page that has both apart.
    """

    js_splitter_code = """
function splitQuery(query) {
  const words = query.split(/[^\\p{Letter}\\p{Number}_\\p{Emoji_Presentation}]+/u).filter((word) => word);
  return words.flatMap((word) => word.match(/[HAN]+|[^HAN]+/g)).flatMap((run) => {
    const pieces = run.split(/(TERMS)/).filter((piece) => piece.length > 1 || piece === run);
    return (pieces.length ? pieces : [run]).flatMap((piece) =>
      /[HAN]/.test(piece) && piece.length > 2
        ? Array.from({ length: piece.length - 1 }, (_, at) => piece.slice(at, at + 2))
        : [piece]
    );
  });
}
""".replace("TERMS", _TERMS).replace("HAN", r"\u3400-\u4dbf\u4e00-\u9fff")

    def split(self, input: str) -> list[str]:
        return [term for word in super().split(input) for piece in _PIECE.findall(word) for term in _pairs(piece)]


def _pairs(piece: str) -> list[str]:
    """The neighbours in a run of Chinese; anything else, and what is no longer than a pair, as it is."""
    if len(piece) <= 2 or not _IS_HAN.match(piece):
        return [piece]
    return [piece[at : at + 2] for at in range(len(piece) - 1)]


def marked(_: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    if page.startswith(FOLDER):
        context["language"] = LANGUAGE


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(Search)
    app.connect("html-page-context", marked)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
