"""A real browser for the tests of what people open in one, and what everybody must be able to read there."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
LEAST = 4.5  # of ink to paper, WCAG 2 AA
CONTRAST = """() => {
  const colours = text => [...text.matchAll(/rgba?\\(([^)]+)\\)/g)].map(m => m[1].split(/[ ,/]+/).map(Number))
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0)
  const papers = e => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), image = colours(style.backgroundImage)
      if (image.length) return image
      const [own] = colours(style.backgroundColor)
      if (own && (own[3] ?? 1) > 0) return [own]
    }
    return [[255, 255, 255]]
  }
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const e = node.parentElement
    if (!node.data.trim() || !e.checkVisibility() || e.tagName == "STYLE" || e.tagName == "title") continue
    const style = getComputedStyle(e), ink = light(colours(e instanceof SVGElement ? style.fill : style.color)[0])
    for (const paper of papers(e).map(light))
      found.push([(Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05), node.data.trim().slice(0, 40)])
  }
  return found
}"""
