"""References: what to cite for a release."""

from collections.abc import Iterable

from captionstew.corpora.facts import Corpus
from captionstew.publish.contents import Release


def references(release: Release) -> tuple[str, ...]:
    """The release itself, then its corpora, as BibTeX."""
    return (_itself(release), *_corpora(release.corpora))


def _itself(release: Release) -> str:
    owner, _, name = release.repository.partition("/")
    return f"""@misc{{{name}-{release.tag},
  title        = {{{name} {release.tag}}},
  author       = {{{{{owner}}}}},
  howpublished = {{\\url{{https://huggingface.co/datasets/{release.repository}}}}},
  note         = {{Built by the recipe {release.manifest.recipe} of CaptionStew, arXiv:2511.16757}},
}}"""


def _corpora(corpora: Iterable[Corpus]) -> tuple[str, ...]:
    """Of each its paper; a corpus that only borrows the layout of another is not cited by that one's."""
    entries = (corpus.reference.strip() for corpus in corpora if corpus.cite)
    return tuple(dict.fromkeys(filter(None, entries)))
