// The editor of a question: shown where the answer takes a text, with its difference from the proposal.

import { parse } from "./html.js";

const WAIT = 300;

async function showDifference(field, target) {
  const body = new URLSearchParams({ before: field.dataset.proposed, after: field.value });
  const answer = await fetch("/difference", { method: "POST", body });
  if (!answer.ok) return;
  const parsed = parse(await answer.text());
  target.replaceChildren(...parsed.childNodes);
}

for (const question of document.querySelectorAll("[data-question]")) {
  const editor = question.querySelector(".editor");
  if (!editor) continue;
  const [field, target] = [editor.querySelector("textarea"), editor.querySelector(".difference")];
  const other = question.querySelector(".other");
  const drafts = { edit: field.dataset.proposed };
  let action = null;
  let timer = 0;

  const compare = () => {
    clearTimeout(timer);
    if (action !== "edit") target.replaceChildren();
    else timer = setTimeout(() => showDifference(field, target), WAIT);
  };
  const choose = (first) => {
    const next = question.querySelector("input[type=radio]:checked")?.value ?? "";
    if (first && next && field.value !== field.dataset.proposed) drafts[next] = field.value;
    else if (!first && action) drafts[action] = field.value;
    action = next;
    const picks = other !== null && action === "replace";
    if (other) other.hidden = !picks;
    editor.hidden = picks || !["edit", "replace", "add"].includes(action);
    field.value = drafts[action] ?? "";
    compare();
  };
  question.addEventListener("change", (event) => { if (event.target.type === "radio") choose(false); });
  field.addEventListener("input", compare);
  choose(true);
}
