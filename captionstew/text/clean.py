"""Caption cleaning as polars expressions, so that ten million captions take a minute."""

import polars as pl

# What language models leave behind when they answer the prompt instead of describing the sound (corpora.md, section 5).
REFUSAL = (
    r"(?i)(\bas an ai\b|\bas a (large )?language model\b|\bi('m| am) sorry\b|\bi (cannot|can't|am unable|'m unable)\b"
    r"|\bi don't have (access|enough)\b|\bunable to (listen|hear|process|generate|provide)\b)"
)
RESIDUE = (
    r"(?i)(\baudio-?visual label|\bthe (audio|sound) (caption|label|tag)s? (is|are|of)\b|^\s*(caption|output|answer|response)\s*:"
    r"|\bhere('s| is) (a|the|your) (possible |suggested )?caption\b|\bbased on the (given|provided) (label|tag|caption|text)"
    r"|<\|?[a-z_]+\|?>|\[/?INST\]|\bUSER:|\bASSISTANT:)"
)
_TAGS = r"</?[A-Za-z][^<>]{0,40}>"
_CONTROL = r"[\p{Cc}\p{Cf}\p{Co}\x{FFFD}]"


def cleaned(text: pl.Expr) -> pl.Expr:
    """Text in NFC without markup, control characters, wrapping quotes, or more than single blanks."""
    text = text.str.normalize("NFC").str.replace_all("[\\s\u00a0]+", " ").str.replace_all(_CONTROL, "")
    for entity, character in (("&amp;", "&"), ("&quot;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.str.replace_all(entity, character, literal=True)
    text = (
        text.str.replace_all(_TAGS, " ").str.replace_all(r"https?://\S+", " ").str.replace_all(" {2,}", " ")
    )
    text = text.str.strip_chars()
    return text.str.replace(r'^"([^"]*)"$', "${1}").str.replace(r"^'([^']*)'$", "${1}").str.strip_chars()


def words(text: pl.Expr) -> pl.Expr:
    """Number of words; every CJK character counts as one."""
    return text.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{N}][\p{L}\p{N}'\u2019-]*")
