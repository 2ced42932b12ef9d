"""What metric a description asks for: plain names, qualified ones, parameters, other languages."""

import time

import pytest

from mlestar.metrics.wording import find_metrics

NAMED = [
    ("Submissions are scored by the mean F2. The F score is known. F2 is averaged over each row.", "row_f_beta@2"),
    ("Submissions are judged on area under the ROC curve for each of the six labels, averaged.", "auroc"),
    ("RMSE between the cleaned pixel intensities and the actual grayscale pixel intensities.", "rmse"),
    ("Evaluation is by mean absolute error, weighted equally for all rows.", "mae"),
    ("Score = 100 * accuracy", "accuracy"),
    ("Evaluation: Classification accuracy for the top 10 classes", "accuracy"),
    ("Target values are clipped to [0, 20]. Submissions are evaluated by root mean squared error.", "rmse"),
    ("Metrik: RMSE (Wurzel der mittleren quadratischen Abweichung), je kleiner desto besser", "rmse"),
    ("Bewertet wird nach dem mittleren absoluten Fehler (MAE).", "mae"),
    ("Bewertung: Quantilsverlust (Pinball Loss) beim 90%-Quantil", "pinball@0.9"),
    ("Predict churn; accuracy", "accuracy"),
    ("Submissions are evaluated on the average AUC over the columns.", "mean_auroc"),
    (
        "## Data\nFeatures are normalised. Weights of samples are given.\n\n## Evaluation\nMean absolute error.",
        "mae",
    ),
    ("The weighted average of sensors is in column a. Evaluation: RMSE.", "rmse"),
    ("Scored by weighted MAE, weights in `w`.", "weighted_mae"),
    ("Submissions are evaluated on area under the ROC curve between predictions and target.", "auroc"),
    ("Evaluation: top-5 accuracy", "top_k_accuracy@5"),
    ("Evaluation\n\nSubmissions are evaluated on Top 3 categorical accuracy.", "top_k_accuracy@3"),
    ("The metric is Mean Average Precision @ 5 (MAP@5).", "map@5"),
    ("Submissions are evaluated according to the Mean Average Precision @ 12 (MAP@12):", "map@12"),
    ("The metric: Brier score.", "brier"),
    ("Mean F1 over rows", "row_f1"),
    ("Mean F1-Score, averaged over samples", "row_f1"),
    ("The evaluation metric is the mean F1-score. The F1 is computed for each row and averaged.", "row_f1"),
    ("Submissions are evaluated on the macro F1 score.", "macro_f1"),
    ("weighted F1", "weighted_f1"),
    ("The F1 score at a threshold of 0.5.", "f1"),
    ("Evaluation: accuracy averaged over all classes", "accuracy"),
    ("Metric: symmetric mean absolute percentage error (SMAPE)", "smape"),
    ("Metric: WMAPE", "wape"),
    ("Metric: MASE", "mase"),
    ("Metric: mean absolute scaled error", "mase"),
    ("Root Mean Squared Scaled Error (RMSSE)", "rmsse"),
    ("Evaluated using the quadratic weighted kappa", "qwk"),
    ("Cohen's kappa", "kappa"),
    ("Evaluation: linear weighted kappa", "linear_kappa"),
    ("Evaluation: Cohen's kappa with linear weights", "linear_kappa"),
    ("Evaluation: unweighted kappa", "kappa"),
    ("Evaluation: F-beta with beta = 2", "f_beta@2"),
    ("Evaluation: F0.5 score", "f_beta@0.5"),
    ("The metric is F1.", "f1"),
    ("Scored by F_2", "f_beta@2"),
    ("Scored by pinball loss for the 90th percentile", "pinball@0.9"),
    ("Pinball loss, quantiles 0.1, 0.5 and 0.9", "pinball"),
    ("Quantile loss (q=0.75)", "pinball@0.75"),
    ("quantile loss at the 10th, 50th and 90th percentile.", "pinball"),
    ("Evaluation: mean column-wise RMSLE", "mcrmsle"),
    ("Evaluation: mean column-wise root mean squared logarithmic error", "mcrmsle"),
    ("Submissions are scored on the root mean squared logarithmic error (RMSLE) averaged over both columns.", "rmsle"),
    ("IoU is the metric", "jaccard"),
    ("mean IoU", "macro_jaccard"),
    ("Jaccard index is the score", "jaccard"),
    ("Dice coefficient is the score", "dice"),
    ("Log loss", "log_loss"),
    ("Evaluated on RMSPE", "rmspe"),
    ("Evaluation: NDCG@5", "ndcg@5"),
    ("Evaluation: normalized discounted cumulative gain at 10", "ndcg@10"),
    ("Evaluation\nMAP@k with k = 7", "map@7"),
    ("Bewertung: Wurzel der mittleren quadratischen Abweichung", "rmse"),
    ("Bewertung\nWurzel aus dem mittleren quadratischen Fehler", "rmse"),
    ("Bewertet wird mit der Fläche unter der ROC-Kurve.", "auroc"),
    ("Bewertung: Genauigkeit", "accuracy"),
    ("## Bewertung\nGewichteter mittlerer absoluter Fehler", "weighted_mae"),
    ("Metrik: Bestimmtheitsmaß", "r2"),
    ("Nicht die Genauigkeit, sondern der makro-gemittelte F1-Wert wird bewertet.", "macro_f1"),
    ("Évaluation : erreur absolue moyenne", "mae"),
    ("Evaluación: raíz del error cuadrático medio", "rmse"),
    ("评估指标 均方根误差", "rmse"),
    ("La métrique est l'exactitude.", "accuracy"),
    ("We report accuracy per class in the paper. Metric: log loss.", "log_loss"),
    ("The metric is classification accuracy, i.e. the share of right predictions.", "accuracy"),
    ("Precision of the sensor is 0.1. Recall that the data are noisy. Evaluation: MAE", "mae"),
    ("The evaluation metric is ROC AUC. Higher is better. Earlier work reports normalised RMSE.", "auroc"),
    ("Predict the relative humidity; RMSE.", "rmse"),
    ("The final score is 1 - RMSE.", "rmse"),
    ("Equally weighted accuracy", "weighted_accuracy"),
    ("Evaluation: the score is the mean accuracy.", "accuracy"),
    ("Submissions are evaluated on the area under the precision-recall curve.", "average_precision"),
    ("Evaluated on mean absolute error at the 3 horizons", "mae"),
    ("evaluated using **MAE**", "mae"),
    ("* RMSE\n* lower is better", "rmse"),
    ("We rank by RMSE (root mean squared error), computed on the log-transformed target.", "rmse"),
    ("C-index", "c_index"),
    ("Harrell's concordance index", "c_index"),
    ("mean per-class accuracy is the metric", "balanced_accuracy"),
    ("The metric is the mean of the per-class F1 scores", "macro_f1"),
    ("Mean F1-score is used. For each row, the labels are compared.", "f1"),
    ("MAE / RMSE are common; we use MAE", "mae"),
    ("Evaluation: AUC (area under the curve) for each target, averaged.", "auroc"),
    ("The score is MAE weighted by the column `weight`.", "weighted_mae"),
    ("Word-level Jaccard score is the metric", "word_jaccard"),
    ("RMSE on the logarithm of price is the metric", "rmse"),
    ("Evaluation: micro-averaged F1", "micro_f1"),
    ("The evaluation metric for this competition is Mean F1-Score.", "f1"),
    ("median absolute error", "medae"),
    (
        "Performance metric: F1 score. We use the micro averaged F1 score, which balances precision and recall.",
        "micro_f1",
    ),
    ("Weighted F1 score (weighted by the support of each class) is the metric", "weighted_f1"),
    ("## \u00c9valuation\nL'erreur absolue moyenne pond\u00e9r\u00e9e par les ventes", "weighted_mae"),
    ("La m\u00e9trica es el error absoluto medio ponderado", "weighted_mae"),
    ("Evaluation: F1 is computed for each class and then averaged", "f1"),
]
LACKING = [
    "Scored by partial AUC.",
    "Submissions are evaluated on partial area under the ROC curve (pAUC) above 80% TPR. The AUC is ...",
    "We use area under the ROC curve (AUC) at FPR below 0.1",
    "The metric is normalised RMSE.",
    "Evaluation metric: NRMSE",
    "The metric is the RMSE normalised by the range of the target.",
    "The metric is CRPS: the continuous ranked probability score, a generalisation of MAE.",
    "Evaluated by the continuous ranked probability score, which generalises the mean absolute error.",
    "Scored with adjusted R2.",
    "Scored with adjusted R².",
    "Brier skill score against climatology",
    "Accuracy within 10% of the true value is the metric.",
    "metric: F1 at IoU 0.5",
    "RMSE per store, averaged, is the score.",
    "AUC averaged over users is the metric.",
    "The metric is trimmed RMSE.",
    "The score is capped MAE.",
    "RMSE capped at 10 is the score",
    "Weighted Root Mean Squared Scaled Error (WRMSSE) is the metric",
    "The score is the average of RMSE and MAE.",
    "Score = 0.7 * AUC + 0.3 * F1",
    "Evaluation: log of the mean absolute error",
    "Weighted multi-class log loss is the score",
    "Evaluation: Normalized Gini",
    "mAP@0.5 is the metric",
    "Die Metrik ist der normierte RMSE.",
    "Metrik: bereinigtes Bestimmtheitsmaß",
    "Time-dependent AUC is the metric",
    "Metric: precision@10",
    "Metric: recall at 95% precision",
    "Hamming loss is the metric",
    "group-wise AUC is used as the metric",
    "log-RMSE is the metric",
    "Metric: median accuracy",
    "Metric: max error",
    "Metric: explained variance",
    "Evaluation\nRMSE is computed for each well and then averaged over wells.",
    "La m\u00e9trique est l'erreur absolue moyenne normalis\u00e9e.",
    "La m\u00e9trica es el error cuadr\u00e1tico medio normalizado.",
]


@pytest.mark.parametrize(("description", "metric"), NAMED)
def test_a_name_is_found_with_what_qualifies_it(description: str, metric: str) -> None:
    assert find_metrics(description)[0].metric == metric


@pytest.mark.parametrize("description", LACKING)
def test_what_the_table_lacks_is_never_a_similar_metric(description: str) -> None:
    mention = find_metrics(description)[0]
    assert mention.metric == ""
    assert mention.phrase


@pytest.mark.parametrize(
    ("description", "phrase"),
    [
        ("Scored by the partial AUC.", "partial AUC"),
        ("We use the RMSE normalised by the range.", "RMSE normalised by"),
        ("Evaluation: CRPS", "continuous ranked probability score"),
        ("The score is the average of RMSE and MAE.", "average of RMSE and others"),
        ("Die Metrik ist der normierte RMSE.", "normierte RMSE"),
    ],
)
def test_the_name_of_what_the_table_lacks_is_quoted(description: str, phrase: str) -> None:
    assert find_metrics(description)[0].phrase == phrase


@pytest.mark.parametrize(
    "description",
    [
        "The relative accuracy of the instrument is 2%.",
        "The metric is sensitivity at 95% specificity",
        "Predict the price from a map of the city, adjusted for inflation and weighted by area.",
        "Roll a dice. The deviance of the sensors is at 10 %. Features are log-transformed and normalised.",
        "The columns are the top 5 words, the median age and the relative humidity at 12 o'clock.",
    ],
)
def test_ordinary_sentences_name_no_metric(description: str) -> None:
    assert find_metrics(description) == []


@pytest.mark.parametrize(
    "text", ["The weighted mean is at 10%. " * 800, " " * 20_000, "MAE accuracy AUC " * 1200, "macro-" * 4000]
)
def test_a_long_description_is_read_in_seconds(text: str) -> None:
    start = time.process_time()
    find_metrics(text)
    assert time.process_time() - start < 10
