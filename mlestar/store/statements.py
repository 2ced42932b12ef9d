"""SQL of the ledger."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    result TEXT NOT NULL,
    seconds REAL NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    usd REAL,
    inherited INTEGER NOT NULL DEFAULT 0,
    finished TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY,
    seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS reservations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    label TEXT NOT NULL,
    usd REAL NOT NULL,
    tokens INTEGER NOT NULL,
    executions INTEGER NOT NULL,
    sent TEXT
);
"""
"""A reservation is of one session: what a process had reserved when it ended is free again. `sent` is the record of a
request that was sent and has no known outcome: see `Ledger.count_unknown`.
Ids are never used twice: a call that settled releases its id once more, when another call may have reserved."""
SPENT = """
SELECT count(*) FILTER (WHERE kind = 'model_call' AND json_extract(result, '$.unknown') IS NULL),
       coalesce(sum(input_tokens), 0),
       coalesce(sum(output_tokens), 0),
       coalesce(sum(cached_tokens), 0),
       coalesce(sum(reasoning_tokens), 0),
       total(usd),
       count(*) - count(usd),
       count(*) FILTER (WHERE kind IN ('execution', 'export')),
       count(*) FILTER (WHERE kind = 'retrieval')
FROM entries WHERE kind IN ('model_call', 'execution', 'export', 'retrieval') AND NOT inherited
"""
INSERT = """
INSERT OR IGNORE INTO entries
       (key, kind, label, result, seconds, input_tokens, output_tokens, cached_tokens, reasoning_tokens, usd)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
RESERVE = "INSERT INTO reservations (session, label, usd, tokens, executions) VALUES (?, ?, ?, ?, ?)"
RESERVED = "SELECT total(usd), total(tokens), total(executions) FROM reservations WHERE session = ?"
INHERIT = """
INSERT OR IGNORE INTO main.entries
       (key, kind, label, result, seconds, input_tokens, output_tokens, cached_tokens, reasoning_tokens, usd, finished,
        inherited)
SELECT key, kind, label, result, seconds, input_tokens, output_tokens, cached_tokens, reasoning_tokens, usd, finished, 1
FROM other.entries
WHERE kind IN ('model_call', 'execution', 'export', 'retrieval', 'leakage', 'answer', 'step_facts', 'graded',
               'weights', 'packages', 'start', 'lessons')
ORDER BY rowid
"""
"""Takes over finished work, findings on leakage, answers of a person, and what prompts contain of the state of the run:
another budget left, and other lessons, would be another prompt. Graded submissions are taken over because the holdout
is the same, and goes on counting them. Other notes belong to one run."""
FORGET = """
DELETE FROM entries WHERE kind NOT IN ('model_call', 'execution', 'export', 'retrieval', 'graded')
"""
OUTPUT_TOKENS = """
SELECT output_tokens FROM entries
WHERE kind = 'model_call' AND coalesce(json_extract(result, '$.cut'), 0) = 0
  AND json_extract(result, '$.broken_off') IS NULL AND json_extract(result, '$.unknown') IS NULL
  AND (? IS NULL OR label = ?) AND (? IS NULL OR json_extract(result, '$.model') = ?)
"""
ANSWERED = """
SELECT json_extract(result, '$.model'), label, count(*) FROM entries
WHERE kind = 'model_call' AND json_extract(result, '$.broken_off') IS NULL
  AND json_extract(result, '$.unknown') IS NULL
GROUP BY 1, 2 ORDER BY min(rowid)
"""
SPAN = "SELECT min(finished), max(finished) FROM entries WHERE NOT inherited"
EXECUTIONS = """
SELECT label, kind, coalesce(json_extract(result, '$.status'), ''), seconds, finished FROM entries
WHERE kind IN ('execution', 'export') AND NOT inherited ORDER BY finished, rowid
"""
EVALUATED = """
SELECT json_extract(result, '$.id'), finished FROM entries WHERE kind = 'solution' ORDER BY rowid
"""
SPEND_BY_ROLE = """
SELECT label, count(*) FILTER (WHERE json_extract(result, '$.unknown') IS NULL), total(seconds),
       sum(input_tokens), sum(output_tokens), CASE WHEN count(*) = count(usd) THEN total(usd) END
FROM entries WHERE kind = 'model_call' AND NOT inherited GROUP BY label ORDER BY min(rowid)
"""
OVERRUN = """
SELECT coalesce(max(json_extract(result, '$.overrun')), 1) FROM entries
WHERE kind = 'model_call' AND json_extract(result, '$.model') = ?
"""
CLOCK = "UPDATE sessions SET seconds = ? WHERE id = ?"
SLOWEST = """
SELECT seconds / coalesce(json_extract(result, '$.stretch'), 1) AS usual FROM entries
WHERE kind = 'execution' AND coalesce(json_extract(result, '$.status'), '') != 'timeout'
ORDER BY usual DESC LIMIT ?
"""
"""An execution that may take a multiple of the usual time counts for its share of it. One that was stopped at its limit
does not count: nothing of it is exported or rescored."""
EXPORT_FACTOR = """
SELECT max(export.seconds / execution.seconds) FROM entries AS export
JOIN entries AS execution ON export.label = execution.label || '-export'
WHERE export.kind = 'export' AND execution.kind = 'execution' AND execution.seconds > 0
  AND json_extract(export.result, '$.status') = 'ok'
"""
"""An export has the label of the execution of its script in the search, with this ending."""
