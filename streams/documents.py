"""Pages and explanations as JSON documents, for scripts and front-ends."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from models.explanation import Evidence, Explanation
    from models.ranking import Ranked
    from streams.pager import Page

    Document: TypeAlias = dict[str, object]


def page(user: str, shown: Page) -> Document:
    """Write a page down, best item first."""
    return {
        "user": user,
        "version": shown.version,
        "experiment": shown.experiment,
        "variant": shown.variant,
        "new_count": shown.new_count,
        "cursor": shown.cursor,
        "items": [_item(ranked) for ranked in shown.items],
    }


def _item(ranked: Ranked) -> Document:
    candidate = ranked.candidate
    return {
        "place": ranked.places["page"],
        "item": ranked.item,
        "value": ranked.value,
        "reasons": ranked.reasons,
        "author": candidate.author,
        "topics": candidate.topics,
        "sources": sorted(candidate.sources),
        "proofs": [{"kind": kind, "who": who, "at": at} for kind, who, at in candidate.proofs],
        "actors_total": candidate.actors_total,
        "account": ranked.account,
        "reserved": ranked.reserved,
        "parts": ranked.parts,
        "places": ranked.places,
    }


def explanation(user: str, explained: Explanation) -> Document:
    """Write an explanation down."""
    found = explained.evidence
    return {"user": user, **asdict(explained), "evidence": found and _evidence(found)}


def _evidence(found: Evidence) -> Document:
    return {
        "contributions": [one._asdict() for one in found.contributions],
        "trending": found.trending,
        "counters": found.counters and found.counters._asdict(),
        "affinities": found.affinities,
    }
