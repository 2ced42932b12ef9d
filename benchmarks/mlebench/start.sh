#!/bin/bash
# Solves the competition in /home/data. MLE-bench's harness starts this as an ordinary user, with the kwargs of
# config.yaml as arguments, and collects LOGS_DIR, CODE_DIR and SUBMISSION_DIR afterwards.
set -u
data=${DATA_DIR:-/home/data}
runs=${AGENT_DIR}/runs
run=${runs}/${COMPETITION_ID}

# The rest of the time is for the last export. Chosen by judgement; not measured.
hours=$("${AGENT_PYTHON}" -c "print(${TIME_LIMIT_SECS} * 0.95 / 3600)")

# There is no engine inside the container of the harness, so that scripts are executed by the local runner.
timeout --signal=INT --kill-after=120 "${TIME_LIMIT_SECS}" \
  "${AGENT_PYTHON}" -m mlestar run "${data}" --run-id "${COMPETITION_ID}" --runs-dir "${runs}" \
  --runner local --max-hours "${hours}" --json "$@" \
  > "${LOGS_DIR}/events.jsonl" 2> >(tee "${LOGS_DIR}/agent.log" >&2)
status=$?

# A run exports its first valid submission while it goes on, so that there is one even if it was stopped.
keep() {
  if [ -f "$1" ]; then cp "$1" "$2"; fi
}
keep "${run}/submission.csv" "${SUBMISSION_DIR}/submission.csv"
keep "${run}/solution.py" "${CODE_DIR}/train.py"
keep "${run}/result.json" "${LOGS_DIR}/result.json"
keep "${run}/report.html" "${LOGS_DIR}/report.html"
exit ${status}
