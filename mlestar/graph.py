"""The whole machine on one page: MLE-STAR (arXiv 2506.15692) as four graphs.

`pipeline` runs L `track`s in parallel, combines their best solutions in `ensemble`, lets the finalists sit fresh
rehearsals and hands in the winner. `track` is algorithm 1 (initialization) followed by algorithm 2 (refinement), flat,
so that it can be stepped and forked at every node. `ensemble` is algorithm 3. `trial` is where every script is judged.
"""

from langgraph.graph import END, START, StateGraph

from mlestar.nodes import ensemble, finals, initialize, prepare, refine, review, submit, trial
from mlestar.settings import Settings
from mlestar.state import (
    CandidateOutput,
    CandidateState,
    EnsembleOutput,
    EnsembleState,
    PipelineInput,
    PipelineState,
    TrackOutput,
    TrackState,
    TrialInput,
    TrialOutput,
    TrialState,
)

Pipeline = StateGraph[PipelineState, Settings, PipelineInput, PipelineState]
Track = StateGraph[TrackState, Settings, TrackState, TrackOutput]
Trial = StateGraph[TrialState, Settings, TrialInput, TrialOutput]
Ensemble = StateGraph[EnsembleState, Settings, EnsembleState, EnsembleOutput]
Candidate = StateGraph[CandidateState, Settings, CandidateState, CandidateOutput]


def build_graph() -> Pipeline:
    """Return the root graph, uncompiled, so that the caller chooses the checkpointer."""
    graph = StateGraph(PipelineState, context_schema=Settings, input_schema=PipelineInput)
    graph.add_node("prepare", prepare.prepare)
    graph.add_node("track", build_track().compile(name="track"))
    graph.add_node("ensemble", build_ensemble().compile(name="ensemble"))
    graph.add_node("final", finals.final)
    graph.add_node("choose", finals.choose)
    graph.add_node("review_submission", review.review_submission)
    graph.add_node("unsubsample", submit.unsubsample)
    graph.add_node("trial_whole", build_trial().compile(name="trial"))
    graph.add_node("export", submit.export)
    graph.add_node("report", submit.report)

    graph.add_edge(START, "prepare")
    graph.add_conditional_edges("prepare", prepare.each_track, ["track"])
    graph.add_edge("track", "ensemble")
    graph.add_conditional_edges("ensemble", finals.each_finalist, ["final", "choose"])
    graph.add_edge("final", "choose")
    graph.add_conditional_edges("choose", submit.after_choice, {"winner": "review_submission", "no_solution": "report"})
    graph.add_conditional_edges(
        "review_submission",
        submit.needs_unsubsampling,
        {"may_subsample": "unsubsample", "whole_data": "export", "no_solution": "report"},
    )
    graph.add_conditional_edges(
        "unsubsample", submit.after_unsubsampling, {"subsampled": "trial_whole", "whole_data": "export"}
    )
    graph.add_edge("trial_whole", "export")
    graph.add_conditional_edges("export", submit.after_export, {"next_best": "export", "report": "report"})
    graph.add_edge("report", END)
    return graph


def build_track() -> Track:
    """Return one track, flat, so that it can be stepped and forked at every node."""
    graph = StateGraph(TrackState, context_schema=Settings, output_schema=TrackOutput)
    add_initialization(graph)
    add_refinement(graph)
    return graph


def add_initialization(graph: Track) -> None:
    """Add algorithm 1: M candidates, merged in score order, then the data-usage check."""
    judged = build_trial().compile(name="trial")
    graph.add_node("retrieve", initialize.retrieve)
    graph.add_node("review_models", review.review_models)
    graph.add_node("candidate", build_candidate().compile(name="candidate"))
    graph.add_node("rank", initialize.rank)
    graph.add_node("merge", initialize.merge)
    graph.add_node("trial_merge", judged)
    graph.add_node("accept_merge", initialize.accept_merge)
    graph.add_node("check_data_usage", initialize.check_data_usage)
    graph.add_node("trial_usage", judged)
    graph.add_node("accept_usage", initialize.accept_usage)

    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "review_models")
    graph.add_conditional_edges("review_models", initialize.each_card, ["candidate", "rank"])
    graph.add_edge("candidate", "rank")
    graph.add_conditional_edges(
        "rank",
        initialize.after_rank,
        {"merge": "merge", "nothing_to_merge": "check_data_usage", "no_candidate": END},
    )
    graph.add_edge("merge", "trial_merge")
    graph.add_edge("trial_merge", "accept_merge")
    graph.add_conditional_edges(
        "accept_merge", initialize.after_merge, {"improved": "merge", "merging_done": "check_data_usage"}
    )
    graph.add_conditional_edges(
        "check_data_usage",
        initialize.after_usage_check,
        {"uses_more": "trial_usage", "next_block": "ablate", "done": END},
    )
    graph.add_edge("trial_usage", "accept_usage")
    graph.add_conditional_edges("accept_usage", initialize.next_block, {"next_block": "ablate", "done": END})


def add_refinement(graph: Track) -> None:
    """Add algorithm 2: T steps of ablation and block, K plans on that block."""
    judged = build_trial().compile(name="trial")
    graph.add_node("ablate", refine.ablate)
    graph.add_node("run_ablation", refine.run_ablation)
    graph.add_node("summarize", refine.summarize)
    graph.add_node("review_ablation", review.review_ablation)
    graph.add_node("extract_block", refine.extract_block)
    graph.add_node("review_block", review.review_block)
    graph.add_node("plan", refine.plan)
    graph.add_node("review_plan", review.review_plan)
    graph.add_node("write_block", refine.write_block)
    graph.add_node("trial_block", judged)
    graph.add_node("compare", refine.compare)
    graph.add_node("advance", refine.advance)

    graph.add_edge("ablate", "run_ablation")
    graph.add_edge("run_ablation", "summarize")
    graph.add_edge("summarize", "review_ablation")
    graph.add_edge("review_ablation", "extract_block")
    graph.add_edge("extract_block", "review_block")
    graph.add_conditional_edges(
        "review_block", refine.after_extraction, {"first_plan": "review_plan", "no_block": "advance"}
    )
    graph.add_edge("plan", "review_plan")
    graph.add_edge("review_plan", "write_block")
    graph.add_edge("write_block", "trial_block")
    graph.add_edge("trial_block", "compare")
    graph.add_conditional_edges("compare", refine.after_compare, {"next_plan": "plan", "block_done": "advance"})
    graph.add_conditional_edges("advance", initialize.next_block, {"next_block": "ablate", "done": END})


def build_candidate() -> Candidate:
    """Return one first solution of a track: a card's script and its trial; the first of all is exported at once."""
    graph = StateGraph(CandidateState, context_schema=Settings, output_schema=CandidateOutput)
    graph.add_node("write_candidate", initialize.write_candidate)
    graph.add_node("trial", build_trial().compile(name="trial"))
    graph.add_edge(START, "write_candidate")
    graph.add_node("export_first", submit.export_first)
    graph.add_edge("write_candidate", "trial")
    graph.add_edge("trial", "export_first")
    graph.add_edge("export_first", END)
    return graph


def build_ensemble() -> Ensemble:
    """Return algorithm 3: R plans to combine the tracks' best solutions."""
    graph = StateGraph(EnsembleState, context_schema=Settings, output_schema=EnsembleOutput)
    graph.add_node("plan_ensemble", ensemble.plan_ensemble)
    graph.add_node("review_ensemble", review.review_ensemble)
    graph.add_node("write_ensemble", ensemble.write_ensemble)
    graph.add_node("trial", build_trial().compile(name="trial"))
    graph.add_node("compare", ensemble.compare_ensemble)
    graph.add_conditional_edges(START, ensemble.admit, {"plan_ensemble": "plan_ensemble", "nothing_to_combine": END})
    graph.add_edge("plan_ensemble", "review_ensemble")
    graph.add_edge("review_ensemble", "write_ensemble")
    graph.add_edge("write_ensemble", "trial")
    graph.add_edge("trial", "compare")
    graph.add_conditional_edges("compare", ensemble.after_compare, {"next_plan": "plan_ensemble", "done": END})
    return graph


def build_trial() -> Trial:
    """Return the trial of one script: leakage check, run, judge, debug, verdict."""
    graph = StateGraph(TrialState, context_schema=Settings, input_schema=TrialInput, output_schema=TrialOutput)
    graph.add_node("check_leakage", trial.check_leakage)
    graph.add_node("repair_leakage", trial.repair_leakage)
    graph.add_node("execute", trial.execute)
    graph.add_node("judge", trial.judge)
    graph.add_node("diagnose", trial.diagnose)
    graph.add_node("debug", trial.debug)
    graph.add_node("conclude", trial.conclude)
    graph.add_conditional_edges(START, trial.admit, {"script": "check_leakage", "no_script": "conclude"})
    graph.add_conditional_edges(
        "check_leakage",
        trial.after_leakage_check,
        {"clean": "execute", "leak": "repair_leakage", "leak_remains": "conclude"},
    )
    graph.add_edge("repair_leakage", "check_leakage")
    graph.add_edge("execute", "judge")
    graph.add_conditional_edges(
        "judge",
        trial.after_judge,
        {"suspicious": "check_leakage", "failed": "diagnose", "judged": "conclude"},
    )
    graph.add_edge("diagnose", "debug")
    graph.add_conditional_edges("debug", trial.after_debug, {"debug_again": "check_leakage", "gave_up": "conclude"})
    graph.add_edge("conclude", END)
    return graph
