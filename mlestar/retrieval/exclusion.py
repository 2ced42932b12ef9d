"""What must not be found: pages that give a task's answer away, and what a person wants left out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlestar.state import Citation, ModelCard

COMPETITION_HOSTS = (
    "aicrowd.com",
    "challengedata.ens.fr",
    "codabench.org",
    "codalab.org",
    "crowdanalytix.com",
    "datahack.analyticsvidhya.com",
    "drivendata.org",
    "eval.ai",
    "hackerearth.com",
    "kaggle.com",
    "machinehack.com",
    "numer.ai",
    "signate.jp",
    "tianchi.aliyun.com",
    "topcoder.com",
    "zindi.africa",
)
"""Where competitions are held, discussed and their solutions published."""
REDIRECTS = ("vertexaisearch.cloud.google.com",)
"""Hosts that stand in for the page itself: only the title tells which site it is."""
PLAIN = frozenset(
    {"a", "an", "and", "challenge", "competition", "data", "dataset", "demo", "download", "downloads", "example"}
    | {"folder", "input", "kaggle", "my", "new", "of", "project", "sample", "task", "test", "the", "tmp", "train"}
)
"""Words that name no competition."""
DOMAIN = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Exclusion:
    """Tells why a result may not be used.

    Args:
        domains: hosts, each with its subdomains; a path may follow.
        terms: words that no result may hold.
        names: what the task is called; pages of a competition of that name are its own.
    """

    domains: Sequence[str] = ()
    terms: Sequence[str] = ()
    names: Sequence[str] = ()

    def reason(self, card: ModelCard) -> str:
        """Return why a result is dropped, empty when it may be used."""
        pages = [Citation(address=card.source, title=card.name), *card.citations]
        return next((why for page in pages if (why := self._page(page))), "") or self._text(card)

    def _page(self, page: Citation) -> str:
        host, place = _place(page)
        for domain in self.domains:
            wanted = domain.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
            if _below(host, wanted.partition("/")[0]) and f"{place}/".startswith(_path(wanted)):
                return f"{domain} is excluded"
        return self._competition(host, page)

    def _competition(self, host: str, page: Citation) -> str:
        if "://" not in page.address:
            return ""
        held = any(_below(host, known) for known in COMPETITION_HOSTS)
        hidden = held and any(_below(urlsplit(page.address).netloc.lower(), known) for known in REDIRECTS)
        for name in map(_words, self.names):
            if not set(name) - PLAIN:
                continue
            told = any(_holds(_words(text), name) for text in (page.address, page.title))
            if hidden:
                return f"a page of {host} that may be the competition's own"
            if held and (told or any(_holds(name, slug) for slug in _slugs(page.address))):
                return "a page of the competition that the task is named after"
            if told and len([word for word in name if word not in PLAIN]) > 1:
                return "a page about the competition that the task is named after"
        return ""

    def _text(self, card: ModelCard) -> str:
        text = " ".join(
            (card.name, card.description, card.example_code, card.source, *(page.title for page in card.citations))
        ).lower()
        found = next((term for term in self.terms if term.lower() in text), None)
        return f"it holds {found!r}" if found else ""


def _place(page: Citation) -> tuple[str, str]:
    """Return host and path of a page; the host that a redirect's title names, with no path."""
    parts = urlsplit(page.address.lower())
    host = parts.netloc.rpartition("@")[2].partition(":")[0].removeprefix("www.")
    if any(_below(host, known) for known in REDIRECTS) and DOMAIN.fullmatch(page.title.strip()):
        return page.title.strip().lower().removeprefix("www."), ""
    return host, parts.path.strip("/")


def _below(host: str, domain: str) -> bool:
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _path(domain: str) -> str:
    path = domain.partition("/")[2]
    return f"{path}/" if path else ""


def _slugs(address: str) -> Iterator[list[str]]:
    """Yield the words of each part of a path that could name a competition."""
    for part in urlsplit(address).path.split("/"):
        words = _words(part)
        if set(words) - PLAIN - {"c", "competitions", "code", "discussion", "overview", "leaderboard", "datasets"}:
            yield words


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _holds(text: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether words occur in a text one after another."""
    size = len(wanted)
    return bool(size) and any(list(text[start : start + size]) == list(wanted) for start in range(len(text) - size + 1))
