"""Which results are dropped: pages that give away a task's answer, and what a person excludes."""

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
"""Sites that hold competitions and publish discussions and solutions of them."""
REDIRECT_HOSTS = ("vertexaisearch.cloud.google.com",)
"""Hosts whose addresses hide the real page; only its title names the site."""
COMMON_WORDS = frozenset(
    {"a", "an", "and", "challenge", "competition", "data", "dataset", "demo", "download", "downloads", "example"}
    | {"folder", "input", "kaggle", "my", "new", "of", "project", "sample", "task", "test", "the", "tmp", "train"}
)
"""Words that do not identify a competition."""
METHOD_WORDS = frozenset(
    {"audio", "base", "boosting", "classification", "classifier", "detection", "digits", "embedding", "embeddings"}
    | {"features", "forecasting", "image", "images", "language", "large", "learning", "model", "models", "network"}
    | {"numbers", "prediction", "ranking", "regression", "segmentation", "series", "small", "speech", "table"}
    | {"tables", "tabular", "text", "texts", "tiny", "time", "tree", "trees", "vision"}
)
"""Words that name a kind of data or method: a task named after nothing else has no competition of its own."""
MIN_JOINED = 8
"""Letters of a task's name that are recognised without separators. Chosen by judgement; not measured."""
PATH_WORDS = frozenset({"c", "competitions", "code", "discussion", "overview", "leaderboard", "datasets"})
"""Parts of addresses on such sites that do not identify a competition."""
DOMAIN = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Exclusion:
    """Decides which results may not be used.

    Args:
        domains: hosts, each with its subdomains; a path may follow.
        terms: words that no result may contain.
        names: of the task; pages about a competition with one of these names give its answer away.
    """

    domains: Sequence[str] = ()
    terms: Sequence[str] = ()
    names: Sequence[str] = ()

    def reason(self, card: ModelCard) -> str:
        """Return why a result is dropped, empty when it may be used."""
        for page in (Citation(address=card.source, title=card.name), *card.citations):
            if reason := self._excluded_domain(page) or self._own_competition(page):
                return reason
        return self._excluded_term(card)

    def reason_for_supply(self, name: str, address: str = "") -> str:
        """Return why a package or weights may not be used, empty when they may.

        What is named after the task's competition gives its answer away: weights that were trained on its test rows, or
        a package with a solution.

        Args:
            name: of a package, or owner and name of a repository, or of a file.
            address: of a file; empty for what comes from an index or a hub.
        """
        if address and (reason := self._excluded_domain(Citation(address=address))):
            return reason
        if term := next((term for term in self.terms if term.lower() in f"{name} {address}".lower()), None):
            return f"it contains {term!r}"
        text = f"{name} {address}"
        for task in map(_words, self.names):
            telling_words = [word for word in task if word not in COMMON_WORDS | METHOD_WORDS]
            joined = "".join(task)
            is_joined = len(joined) >= MIN_JOINED and any(joined in word for word in _words(text))
            if telling_words and (_contains(_words(text), task) or is_joined):
                return "it has the name of the competition that the task is named after"
        return ""

    def _excluded_domain(self, page: Citation) -> str:
        host, path = _host_and_path(page)
        for domain in self.domains:
            excluded_host, _, excluded_path = _normalize(domain).partition("/")
            prefix = f"{excluded_path}/" if excluded_path else ""
            if _is_below(host, excluded_host) and f"{path}/".startswith(prefix):
                return f"{domain} is excluded"
        return ""

    def _own_competition(self, page: Citation) -> str:
        """Return why a page may be about the competition that the task is named after, empty when it is not."""
        if "://" not in page.address:
            return ""
        host, _ = _host_and_path(page)
        on_site = _is_below_any(host, COMPETITION_HOSTS)
        hidden = on_site and _is_below_any(urlsplit(page.address).netloc.lower(), REDIRECT_HOSTS)
        for name in map(_words, self.names):
            telling_words = [word for word in name if word not in COMMON_WORDS]
            if not telling_words:
                continue
            if hidden:
                return f"a page of {host} that may be the competition's own"
            named = any(_contains(_words(text), name) for text in (page.address, page.title))
            if on_site and (named or any(_contains(name, words) for words in _path_names(page.address))):
                return "a page of the competition that the task is named after"
            if named and len(telling_words) > 1:
                return "a page about the competition that the task is named after"
        return ""

    def _excluded_term(self, card: ModelCard) -> str:
        titles = [page.title for page in card.citations]
        text = " ".join([card.name, card.description, card.example_code, card.source, *titles]).lower()
        term = next((term for term in self.terms if term.lower() in text), None)
        return f"it contains {term!r}" if term else ""


def _normalize(domain: str) -> str:
    """Return an excluded domain without scheme, `www.` and a slash at the end."""
    return domain.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


def _host_and_path(page: Citation) -> tuple[str, str]:
    """Return host and path of a page; of a redirect, the host that the title names and no path."""
    parts = urlsplit(page.address.lower())
    host = parts.netloc.rpartition("@")[2].partition(":")[0].removeprefix("www.")
    title = page.title.strip()
    if _is_below_any(host, REDIRECT_HOSTS) and DOMAIN.fullmatch(title):
        return title.lower().removeprefix("www."), ""
    return host, parts.path.strip("/")


def _is_below(host: str, domain: str) -> bool:
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _is_below_any(host: str, domains: Sequence[str]) -> bool:
    return any(_is_below(host, domain) for domain in domains)


def _path_names(address: str) -> Iterator[list[str]]:
    """Yield the words of each part of a path that could name a competition."""
    for part in urlsplit(address).path.split("/"):
        words = _words(part)
        if set(words) - COMMON_WORDS - PATH_WORDS:
            yield words


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _contains(text: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether the words occur in a text one after another."""
    size = len(words)
    if not size:
        return False
    starts = range(len(text) - size + 1)
    return any(list(text[start : start + size]) == list(words) for start in starts)
