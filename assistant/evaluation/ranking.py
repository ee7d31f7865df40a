"""Measures of rankings of records, computed by ir_measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RANKING_DEPTH = 10
RANKING_MEASURES = ("hit@1", "hit@3", "hit@5", "hit@10", "mrr@10", "ndcg@10")


def measure_rankings(
    relevance: Mapping[str, Mapping[str, int]], rankings: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """The measures of every judged query: `relevance` (the qrels) and `rankings` (the run, best first) by query.

    A judged query without a ranking counts as zero. Only the first 10 records of a ranking count.
    """
    import ir_measures
    from ir_measures import RR, Qrel, ScoredDoc, Success, nDCG

    cutoffs = (1, 3, 5, 10)
    names = dict(zip((*(Success @ cutoff for cutoff in cutoffs), RR, nDCG @ 10), RANKING_MEASURES, strict=True))
    qrels = [Qrel(query, record, grade) for query, judged in relevance.items() for record, grade in judged.items()]
    # trec_eval sorts a run by score, so the negative ranks are given as scores.
    run = [
        ScoredDoc(query, record, float(-rank))
        for query, ranking in rankings.items()
        for rank, record in enumerate(ranking[:RANKING_DEPTH], start=1)
    ]
    values: dict[str, dict[str, float]] = {query: {} for query in relevance}
    for metric in ir_measures.iter_calc(list(names), qrels, run):
        values[metric.query_id][names[metric.measure]] = round(float(metric.value), 6)
    return values
