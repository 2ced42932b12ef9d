"""The method as four graphs: MLE-STAR (arXiv 2506.15692) on one page.

`pipeline` runs L `track`s in parallel, combines their best solutions in `ensemble`, blends what all scripts predicted,
rescores the finalists on fresh holdouts, grades baselines on the same rows, submits the winner, which is a baseline if
that beats every script, and measures which columns matter to it. `track` is algorithm 1 (initialization) followed by
algorithm 2 (refinement), flat, so that it can be stepped and forked at every node. `ensemble` is algorithm 3.
`evaluation` grades every script.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from mlestar.nodes import (
    baselines,
    blend,
    ensemble,
    evaluate,
    importance,
    initialize,
    prepare,
    refine,
    rescore,
    review,
    start,
    submit,
    track,
)
from mlestar.settings import Settings
from mlestar.state import (
    CandidateOutput,
    CandidateState,
    EnsembleOutput,
    EnsembleState,
    EvaluationInput,
    EvaluationOutput,
    EvaluationState,
    PipelineInput,
    PipelineState,
    TrackOutput,
    TrackState,
)

Pipeline = StateGraph[PipelineState, Settings, PipelineInput, PipelineState]
Track = StateGraph[TrackState, Settings, TrackState, TrackOutput]
TrackAlone = StateGraph[TrackState, Settings, PipelineInput, TrackState]
Evaluation = StateGraph[EvaluationState, Settings, EvaluationInput, EvaluationOutput]
Ensemble = StateGraph[EnsembleState, Settings, EnsembleState, EnsembleOutput]
Candidate = StateGraph[CandidateState, Settings, CandidateState, CandidateOutput]

REFINE: dict[Hashable, str] = {"next block": "ablate", "done or budget": END}
"""Where a track goes between two outer steps. Routes with one target share one label: a drawing shows one of them."""


def build_graph() -> Pipeline:
    """Return the root graph, uncompiled, so that the caller chooses the checkpointer."""
    graph = StateGraph(PipelineState, context_schema=Settings, input_schema=PipelineInput)
    graph.add_node("prepare", prepare.prepare)
    graph.add_node("run_track", compile_track())
    graph.add_node("ensemble", build_ensemble().compile(name="ensemble"))
    graph.add_node("blend", blend.blend)
    graph.add_node("rescore", rescore.rescore)
    graph.add_node("add_baselines", baselines.add_baselines)
    graph.add_node("choose", rescore.choose)
    graph.add_node("review_submission", review.review_submission)
    evaluation = compile_evaluation()
    graph.add_node("evaluate_edited", evaluation)
    graph.add_node("unsubsample", submit.unsubsample)
    graph.add_node("evaluate_whole", evaluation)
    graph.add_node("rescore_whole", submit.rescore_whole)
    graph.add_node("export", submit.export)
    graph.add_node("measure_importance", importance.measure_importance)
    graph.add_node("report", submit.report)

    graph.add_edge(START, "prepare")
    graph.add_conditional_edges("prepare", prepare.each_track, {"each track": "run_track"})
    graph.add_edge("run_track", "ensemble")
    graph.add_edge("ensemble", "blend")
    graph.add_conditional_edges(
        "blend", rescore.each_finalist, {"each finalist": "rescore", "no finalist": "add_baselines"}
    )
    graph.add_edge("rescore", "add_baselines")
    graph.add_edge("add_baselines", "choose")
    graph.add_conditional_edges("choose", submit.after_choice, {"winner": "review_submission", "no solution": "report"})
    subsampling: dict[Hashable, str] = {
        "may subsample": "unsubsample",
        "whole data": "export",
        "no solution": "report",
    }
    graph.add_conditional_edges(
        "review_submission", submit.after_review, {"edited by hand": "evaluate_edited", **subsampling}
    )
    graph.add_conditional_edges("evaluate_edited", submit.needs_unsubsampling, subsampling)
    graph.add_conditional_edges(
        "unsubsample", submit.after_unsubsampling, {"subsampled": "evaluate_whole", "whole data": "export"}
    )
    graph.add_edge("evaluate_whole", "rescore_whole")
    graph.add_edge("rescore_whole", "export")
    graph.add_conditional_edges(
        "export",
        submit.after_export,
        {"failed, next best": "export", "submitted, none left or budget": "measure_importance"},
    )
    graph.add_edge("measure_importance", "report")
    graph.add_edge("report", END)
    return graph


@cache
def compile_track() -> CompiledStateGraph[TrackState, Settings, TrackState, TrackOutput]:
    """Return the compiled track, which every pipeline shares."""
    return build_track().compile(name="track")


def build_track() -> Track:
    """Return one track, flat, so that it can be stepped and forked at every node."""
    graph = StateGraph(TrackState, context_schema=Settings, output_schema=TrackOutput)
    graph.add_edge(START, "retrieve")
    add_initialization(graph)
    add_refinement(graph)
    return graph


def build_track_alone() -> TrackAlone:
    """Return one track that starts from a task: the flat view of the method in LangGraph Studio."""
    graph = StateGraph(TrackState, context_schema=Settings, input_schema=PipelineInput)
    graph.add_node("prepare", prepare.prepare_track)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "retrieve")
    add_initialization(graph)
    add_refinement(graph)
    return graph


def add_initialization(graph: Track | TrackAlone) -> None:
    """Add algorithm 1: M candidates, merged in score order, then the data-usage check."""
    evaluation = compile_evaluation()
    graph.add_node("retrieve", initialize.retrieve)
    graph.add_node("review_models", review.review_models)
    graph.add_node("make_start", build_start().compile(name="start"))
    graph.add_node("make_candidate", build_candidate().compile(name="candidate"))
    graph.add_node("rank", initialize.rank)
    graph.add_node("merge", initialize.merge)
    graph.add_node("evaluate_merge", evaluation)
    graph.add_node("accept_merge", initialize.accept_merge)
    graph.add_node("check_data_usage", initialize.check_data_usage)
    graph.add_node("evaluate_usage", evaluation)
    graph.add_node("accept_usage", initialize.accept_usage)

    graph.add_edge("retrieve", "review_models")
    graph.add_conditional_edges(
        "review_models",
        initialize.each_card,
        {"own script": "make_start", "each card": "make_candidate", "no card": "rank"},
    )
    graph.add_edge("make_start", "rank")
    graph.add_edge("make_candidate", "rank")
    graph.add_conditional_edges(
        "rank",
        initialize.after_rank,
        {
            "next best": "merge",
            "one candidate or budget": "check_data_usage",
            "no candidate": END,
        },
    )
    graph.add_edge("merge", "evaluate_merge")
    graph.add_edge("evaluate_merge", "accept_merge")
    graph.add_conditional_edges(
        "accept_merge",
        initialize.after_merge,
        {"improved": "merge", "merging done or budget": "check_data_usage"},
    )
    graph.add_conditional_edges(
        "check_data_usage",
        initialize.after_usage_check,
        {"uses more": "evaluate_usage", **REFINE},
    )
    graph.add_edge("evaluate_usage", "accept_usage")
    graph.add_conditional_edges("accept_usage", track.next_block, REFINE)


def add_refinement(graph: Track | TrackAlone) -> None:
    """Add algorithm 2: T steps of ablation and block, K plans on that block."""
    evaluation = compile_evaluation()
    graph.add_node("ablate", refine.ablate)
    graph.add_node("run_ablation", refine.run_ablation)
    graph.add_node("diagnose_study", refine.diagnose_study)
    graph.add_node("debug_study", refine.debug_study)
    graph.add_node("summarize", refine.summarize)
    graph.add_node("review_ablation", review.review_ablation)
    graph.add_node("extract_block", refine.extract_block)
    graph.add_node("review_block", review.review_block)
    graph.add_node("plan", refine.plan)
    graph.add_node("review_plan", review.review_plan)
    graph.add_node("write_block", refine.write_block)
    graph.add_node("evaluate_block", evaluation)
    graph.add_node("compare", refine.compare)
    graph.add_node("advance", refine.advance)

    graph.add_edge("ablate", "run_ablation")
    graph.add_conditional_edges(
        "run_ablation", refine.after_study, {"failed": "diagnose_study", "studied": "summarize"}
    )
    graph.add_edge("diagnose_study", "debug_study")
    graph.add_conditional_edges(
        "debug_study", refine.after_study_debug, {"debug again": "run_ablation", "gave up": "summarize"}
    )
    graph.add_edge("summarize", "review_ablation")
    graph.add_edge("review_ablation", "extract_block")
    graph.add_edge("extract_block", "review_block")
    graph.add_conditional_edges(
        "review_block", refine.after_extraction, {"first plan": "review_plan", "no block": "advance"}
    )
    graph.add_edge("plan", "review_plan")
    graph.add_edge("review_plan", "write_block")
    graph.add_edge("write_block", "evaluate_block")
    graph.add_edge("evaluate_block", "compare")
    graph.add_conditional_edges(
        "compare", refine.after_compare, {"next plan": "plan", "block done or budget": "advance"}
    )
    graph.add_conditional_edges("advance", track.next_block, REFINE)


def build_candidate() -> Candidate:
    """Return one first solution of a track: the script for a card and its evaluation; the first is exported at once."""
    graph = StateGraph(CandidateState, context_schema=Settings, output_schema=CandidateOutput)
    graph.add_node("write_candidate", initialize.write_candidate)
    graph.add_node("evaluate", compile_evaluation())
    graph.add_edge(START, "write_candidate")
    graph.add_node("export_first", submit.export_first)
    graph.add_edge("write_candidate", "evaluate")
    graph.add_edge("evaluate", "export_first")
    graph.add_edge("export_first", END)
    return graph


def build_start() -> Candidate:
    """Return the first solution that is a person's own script: run as given, adapted, evaluated, exported at once."""
    graph = StateGraph(CandidateState, context_schema=Settings, output_schema=CandidateOutput)
    graph.add_node("run_given", start.run_given)
    graph.add_node("adapt_start", start.adapt_start)
    graph.add_node("evaluate", compile_evaluation())
    graph.add_node("conclude_start", start.conclude_start)
    graph.add_node("export_first", submit.export_first)
    graph.add_edge(START, "run_given")
    graph.add_edge("run_given", "adapt_start")
    graph.add_edge("adapt_start", "evaluate")
    graph.add_edge("evaluate", "conclude_start")
    graph.add_edge("conclude_start", "export_first")
    graph.add_edge("export_first", END)
    return graph


def build_ensemble() -> Ensemble:
    """Return algorithm 3: R plans to combine the tracks' best solutions."""
    graph = StateGraph(EnsembleState, context_schema=Settings, output_schema=EnsembleOutput)
    graph.add_node("plan_ensemble", ensemble.plan_ensemble)
    graph.add_node("review_ensemble", review.review_ensemble)
    graph.add_node("write_ensemble", ensemble.write_ensemble)
    graph.add_node("evaluate", compile_evaluation())
    graph.add_node("compare", ensemble.compare_ensemble)
    graph.add_conditional_edges(START, ensemble.admit_ensemble, {"combine": "plan_ensemble", "nothing to combine": END})
    graph.add_edge("plan_ensemble", "review_ensemble")
    graph.add_edge("review_ensemble", "write_ensemble")
    graph.add_edge("write_ensemble", "evaluate")
    graph.add_edge("evaluate", "compare")
    graph.add_conditional_edges(
        "compare", ensemble.after_ensemble, {"next plan": "plan_ensemble", "done or budget": END}
    )
    return graph


@cache
def compile_evaluation() -> CompiledStateGraph[EvaluationState, Settings, EvaluationInput, EvaluationOutput]:
    """Return the compiled evaluation, which every graph shares: compiling it takes longer than all its wiring."""
    return build_evaluation().compile(name="evaluation")


def build_evaluation() -> Evaluation:
    """Return the evaluation of one script: leakage check, run, grade, debug, verdict."""
    graph = StateGraph(
        EvaluationState, context_schema=Settings, input_schema=EvaluationInput, output_schema=EvaluationOutput
    )
    graph.add_node("check_leakage", evaluate.check_leakage)
    graph.add_node("repair_leakage", evaluate.repair_leakage)
    graph.add_node("execute", evaluate.execute)
    graph.add_node("grade", evaluate.grade)
    graph.add_node("diagnose", evaluate.diagnose)
    graph.add_node("debug", evaluate.debug)
    graph.add_node("conclude", evaluate.conclude)
    graph.add_conditional_edges(START, evaluate.admit_script, {"script": "check_leakage", "no script": "conclude"})
    graph.add_conditional_edges(
        "check_leakage",
        evaluate.after_leakage_check,
        {"clean": "execute", "leak": "repair_leakage", "leak remains": "conclude"},
    )
    graph.add_edge("repair_leakage", "check_leakage")
    graph.add_edge("execute", "grade")
    graph.add_conditional_edges(
        "grade",
        evaluate.after_grade,
        {"suspicious": "check_leakage", "failed": "diagnose", "graded": "conclude"},
    )
    graph.add_edge("diagnose", "debug")
    graph.add_conditional_edges("debug", evaluate.after_debug, {"debug again": "check_leakage", "gave up": "conclude"})
    graph.add_edge("conclude", END)
    return graph


def insert_stage(graph: StateGraph[Any, Any, Any, Any], name: str, node: Any, *, after: str) -> None:
    """Add a stage of your own after a node of an uncompiled graph; what followed that node follows the stage.

    Args:
        graph: from `build_graph`; `solve(..., graph=graph)` runs it.
        name: of the stage. Its drafts name it as their `origin`.
        node: a node function or a compiled graph.
        after: the node that comes before it.
    """
    graph.add_node(name, node)
    for edge in [edge for edge in graph.edges if edge[0] == after]:
        graph.edges.remove(edge)
        graph.edges.add((name, edge[1]))
    if after in graph.branches:
        graph.branches[name] = graph.branches.pop(after)
    graph.add_edge(after, name)
