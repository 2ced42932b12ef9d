"""The drawn topology against the design: nodes, edges and their labels."""

import pytest

from mlestar.graph import build_candidate, build_ensemble, build_graph, build_track, build_trial

PIPELINE = """
__start__ -> prepare
prepare -> track
track -> ensemble
ensemble -> final
ensemble -> choose
final -> choose
choose -winner-> review_submission
choose -no_solution-> report
review_submission -may_subsample-> unsubsample
review_submission -whole_data-> export
review_submission -no_solution-> report
unsubsample -subsampled-> trial_whole
unsubsample -whole_data-> export
trial_whole -> export
export -next_best-> export
export -> report
report -> __end__
"""

TRACK = """
__start__ -> retrieve
retrieve -> review_models
review_models -> candidate
review_models -> rank
candidate -> rank
rank -> merge
rank -nothing_to_merge-> check_data_usage
rank -no_candidate-> __end__
merge -> trial_merge
trial_merge -> accept_merge
accept_merge -improved-> merge
accept_merge -merging_done-> check_data_usage
check_data_usage -uses_more-> trial_usage
check_data_usage -next_block-> ablate
check_data_usage -done-> __end__
trial_usage -> accept_usage
accept_usage -next_block-> ablate
accept_usage -done-> __end__
ablate -> run_ablation
run_ablation -> summarize
summarize -> review_ablation
review_ablation -> extract_block
extract_block -> review_block
review_block -first_plan-> review_plan
review_block -no_block-> advance
plan -> review_plan
review_plan -> write_block
write_block -> trial_block
trial_block -> compare
compare -next_plan-> plan
compare -block_done-> advance
advance -next_block-> ablate
advance -done-> __end__
"""

TRIAL = """
__start__ -script-> check_leakage
__start__ -no_script-> conclude
check_leakage -clean-> execute
check_leakage -leak-> repair_leakage
check_leakage -leak_remains-> conclude
repair_leakage -> check_leakage
execute -> judge
judge -suspicious-> check_leakage
judge -failed-> diagnose
judge -judged-> conclude
diagnose -> debug
debug -debug_again-> check_leakage
debug -gave_up-> conclude
conclude -> __end__
"""

ENSEMBLE = """
__start__ -> plan_ensemble
__start__ -nothing_to_combine-> __end__
plan_ensemble -> review_ensemble
review_ensemble -> write_ensemble
write_ensemble -> trial
trial -> compare
compare -next_plan-> plan_ensemble
compare -done-> __end__
"""

CANDIDATE = """
__start__ -> write_candidate
write_candidate -> trial
trial -> export_first
export_first -> __end__
"""


@pytest.mark.parametrize(
    ("build", "design"),
    [
        (build_graph, PIPELINE),
        (build_track, TRACK),
        (build_trial, TRIAL),
        (build_ensemble, ENSEMBLE),
        (build_candidate, CANDIDATE),
    ],
    ids=["pipeline", "track", "trial", "ensemble", "candidate"],
)
def test_a_graph_is_drawn_as_designed(build, design):
    drawn = build().compile().get_graph()
    edges = {f"{e.source} -{e.data or ''}-> {e.target}".replace(" --> ", " -> ") for e in drawn.edges}
    assert edges == set(design.strip().splitlines())


def test_every_subgraph_is_found_by_its_name():
    names = {name.split(":")[0] for name in build_graph().compile().get_graph(xray=1).nodes}
    assert {"track", "ensemble", "trial_whole"} <= {name.split(":")[0] for name in names}
