"""The drawn topology against the design: nodes, edges and their labels."""

from collections import Counter

import pytest

from mlestar.graph import (
    build_candidate,
    build_ensemble,
    build_evaluation,
    build_graph,
    build_start,
    build_track,
    build_track_alone,
)
from tests.unit import golden_graphs
from tests.unit.golden_graphs import Build

PIPELINE = """
__start__ -> prepare
prepare -each track-> run_track
run_track -> ensemble
ensemble -> blend
blend -each finalist-> rescore
blend -no finalist-> add_baselines
rescore -> add_baselines
add_baselines -> choose
choose -winner-> review_submission
choose -no solution-> report
review_submission -edited by hand-> evaluate_edited
review_submission -may subsample-> unsubsample
review_submission -whole data-> export
review_submission -no solution-> report
evaluate_edited -may subsample-> unsubsample
evaluate_edited -whole data-> export
evaluate_edited -no solution-> report
unsubsample -subsampled-> evaluate_whole
unsubsample -whole data-> export
evaluate_whole -> rescore_whole
rescore_whole -> export
export -failed, next best-> export
export -submitted, none left or budget-> measure_importance
measure_importance -> report
report -> __end__
"""

TRACK = """
retrieve -> review_models
review_models -each card-> make_candidate
review_models -own script-> make_start
make_start -> rank
review_models -no card-> rank
make_candidate -> rank
rank -next best-> merge
rank -one candidate or budget-> check_data_usage
rank -no candidate-> __end__
merge -> evaluate_merge
evaluate_merge -> accept_merge
accept_merge -improved-> merge
accept_merge -merging done or budget-> check_data_usage
check_data_usage -uses more-> evaluate_usage
check_data_usage -next block-> ablate
check_data_usage -done or budget-> __end__
evaluate_usage -> accept_usage
accept_usage -next block-> ablate
accept_usage -done or budget-> __end__
ablate -> run_ablation
run_ablation -failed-> diagnose_study
run_ablation -studied-> summarize
diagnose_study -> debug_study
debug_study -debug again-> run_ablation
debug_study -gave up-> summarize
summarize -> review_ablation
review_ablation -> extract_block
extract_block -> review_block
review_block -first plan-> review_plan
review_block -no block-> advance
plan -> review_plan
review_plan -> write_block
write_block -> evaluate_block
evaluate_block -> compare
compare -next plan-> plan
compare -block done or budget-> advance
advance -next block-> ablate
advance -done or budget-> __end__
"""
IN_PIPELINE = "__start__ -> retrieve"
ALONE = "__start__ -> prepare\nprepare -> retrieve"

EVALUATION = """
__start__ -script-> check_leakage
__start__ -no script-> conclude
check_leakage -clean-> execute
check_leakage -leak-> repair_leakage
check_leakage -leak remains-> conclude
repair_leakage -> check_leakage
execute -> grade
grade -suspicious-> check_leakage
grade -failed-> diagnose
grade -graded-> conclude
diagnose -> debug
debug -debug again-> check_leakage
debug -gave up-> conclude
conclude -> __end__
"""

ENSEMBLE = """
__start__ -combine-> plan_ensemble
__start__ -nothing to combine-> __end__
plan_ensemble -> review_ensemble
review_ensemble -> write_ensemble
write_ensemble -> evaluate
evaluate -> compare
compare -next plan-> plan_ensemble
compare -done or budget-> __end__
"""

OWN_SCRIPT = """
__start__ -> run_given
run_given -> adapt_start
adapt_start -> evaluate
evaluate -> conclude_start
conclude_start -> export_first
export_first -> __end__
"""
CANDIDATE = """
__start__ -> write_candidate
write_candidate -> evaluate
evaluate -> export_first
export_first -> __end__
"""


@pytest.mark.parametrize(
    ("build", "design"),
    [
        (build_graph, PIPELINE),
        (build_track, TRACK + IN_PIPELINE),
        (build_track_alone, TRACK + ALONE),
        (build_evaluation, EVALUATION),
        (build_ensemble, ENSEMBLE),
        (build_candidate, CANDIDATE),
        (build_start, OWN_SCRIPT),
    ],
    ids=["pipeline", "track", "track alone", "evaluation", "ensemble", "candidate", "start"],
)
def test_a_graph_is_drawn_as_designed(build: Build, design: str) -> None:
    drawn = build().compile().get_graph()
    edges = {f"{e.source} -{e.data or ''}-> {e.target}".replace(" --> ", " -> ") for e in drawn.edges}
    assert edges == set(design.strip().splitlines())


def test_every_subgraph_is_found_by_its_name() -> None:
    names = {name.split(":")[0] for name in build_graph().compile().get_graph(xray=1).nodes}
    assert {"run_track", "ensemble", "evaluate_whole"} <= names


@pytest.mark.parametrize("build", [build_graph, build_track, build_track_alone, build_evaluation, build_ensemble])
def test_every_choice_is_labelled_and_no_two_share_one_edge(build: Build) -> None:
    """A drawing keeps one of the routes that share source and target, so each pair has one label."""
    drawn = build().compile().get_graph()
    targets = Counter((edge.source, edge.target) for edge in drawn.edges)
    assert [edge for edge in drawn.edges if edge.conditional and not edge.data] == []
    routes = [
        (source, target)
        for source, branches in build().branches.items()
        for b in branches.values()
        for target in (b.ends or {}).values()
    ]
    assert [pair for pair, count in Counter(routes).items() if count != targets[pair]] == []


@pytest.mark.parametrize("build", [build_graph, build_track, build_track_alone, build_evaluation, build_ensemble])
def test_no_node_is_an_orphan(build: Build) -> None:
    drawn = build().compile().get_graph()
    reached = {edge.target for edge in drawn.edges}
    assert set(drawn.nodes) - reached == {"__start__"}


def test_the_drawn_graphs_in_the_docs_are_those_of_the_code() -> None:
    assert golden_graphs.PAGE.read_text(encoding="utf-8") == golden_graphs.render(), "run `make golden`"
