"""What metrics are called in German, French, Spanish, Portuguese, Italian, Chinese and Japanese."""

_MEAN = r"(?:mittler|durchschnittlich)\w*\s+"
_ERROR = r"(?:Fehlers?|Abweichung(?:en)?)"
_SQUARED = rf"{_MEAN}quadrati(?:sch|ert)\w*\s+{_ERROR}"
_F1 = r"F1[\s-]?(?:Ma(?:ß|ss)|Wert)e?s?"

TRANSLATIONS: tuple[tuple[str, str], ...] = (
    ("rmsle", rf"\bWurzel\b.{{0,30}}\b{_MEAN}quadrati\w+ logarithmi\w+ {_ERROR}"),
    ("rmse", rf"\b(?:Quadratwurzel|Wurzel)\s+(?:aus\s+)?(?:der|des|dem)\s+{_SQUARED}"),
    ("rmse", r"\bracine(?: carr[ée]e)? de l['\u2019]erreur quadratique moyenne"),
    ("rmse", r"\bra[ií]z(?: cuadrada)? del error cuadr[áa]tico medio"),
    ("rmse", r"\braiz(?: quadrada)? do erro quadr[áa]tico m[ée]dio"),
    ("rmse", r"\bradice(?: quadrata)? dell['\u2019]errore quadratico medio"),
    ("rmse", r"均方根误差|二乗平均平方根誤差"),
    ("mse", rf"\b{_SQUARED}"),
    ("mse", r"\berreur quadratique moyenne|\berror cuadr[áa]tico medio"),
    ("mse", r"\berro quadr[áa]tico m[ée]dio|\berrore quadratico medio"),
    ("mse", r"均方误差|平均二乗誤差"),
    ("mape", rf"\b{_MEAN}(?:absolut\w*\s+)?(?:prozentual\w*|relativ\w*)\s+{_ERROR}"),
    ("mape", rf"\b{_MEAN}absolut\w*\s+Prozentfehlers?"),
    ("mape", r"\berreur absolue moyenne en pourcentage|\berror porcentual absoluto medio"),
    ("medae", rf"\bmedian\w*\s+(?:der\s+|des\s+)?absolut\w*\s+{_ERROR}"),
    ("mae", rf"\b{_MEAN}absolut\w*\s+{_ERROR}|\b{_MEAN}Absolutfehlers?"),
    ("mae", r"\berreur absolue moyenne|\berror absoluto medio|\berro absoluto m[ée]dio|\berrore assoluto medio"),
    ("mae", r"平均绝对误差|平均絶対誤差"),
    ("balanced_accuracy", r"\b(?:balancierte|ausgewogene|ausbalancierte)\w*\s+(?:Treffer)?genauigkeit"),
    ("accuracy", r"\b(?:Klassifikations|Treffer)?genauigkeit\b|\b(?:Trefferquote|Korrektklassifikationsrate)\b"),
    ("accuracy", r"\bAnteil (?:der )?(?:richtig|korrekt)\w*"),
    ("accuracy", r"\b(?:exactitude|exactitud|acur[áa]cia|accuratezza)\b"),
    ("accuracy", r"准确率|正解率"),
    ("auroc", r"\bFl(?:ä|ae)che unter(?:halb)? (?:der|einer) (?:ROC|Receiver[\s-]+Operating)(?:[\s-]*\w*Kurve)?"),
    ("auroc", r"\baire sous la courbe(?: ROC)?|\b[áa]rea bajo la curva(?: ROC)?|\b[áa]rea sob a curva(?: ROC)?"),
    ("auroc", r"\barea sotto la curva(?: ROC)?|ROC曲[线線]下"),
    ("log_loss", r"\b(?:logarithmi\w+ Verlust\w*|Kreuzentropie\w*|perte logarithmique)"),
    ("log_loss", r"\b(?:entropie crois[ée]e|entrop[ií]a cruzada)"),
    ("r2", r"\bBestimmtheitsma(?:ß|ss)\w*|\bcoefficient de d[ée]termination"),
    ("r2", r"\bcoeficiente de determina(?:ci[óo]n|[çc][ãa]o)|\bcoefficiente di determinazione|决定系数"),
    ("macro_f1", rf"\b{_F1},? \(?(?:Makro|gemittelt (?:ü|ue)ber (?:die |alle )?Klassen)"),
    ("macro_f1", r"\bMakro[\s-]?(?:gemittelte[rns]?[\s-])?F1[\s-]?(?:Ma(?:ß|ss)|Wert|Score)?"),
    ("f1", rf"\b{_F1}\b"),
    ("qwk", r"\bquadratisch gewichtete[rns]? (?:Cohens? )?Kappa"),
    ("spearman", r"\bRangkorrelation(?:skoeffizient)?\w*(?: nach Spearman)?"),
    ("pearson", r"\bKorrelation(?:skoeffizient)?\w* nach Pearson"),
)
"""The name of a metric, and a regular expression without regard to case; the first that matches a word counts."""
