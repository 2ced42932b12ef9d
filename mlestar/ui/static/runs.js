// Keeps the list of runs as it is now, as long as one of them works.

import { parse } from "./html.js";

const rows = document.getElementById("rows");
const PAUSE = 3000;

async function refresh() {
  if (document.hidden || rows.contains(document.activeElement)) return;
  const address = new URL(location.href);
  address.searchParams.set("part", "rows");
  const answer = await fetch(address);
  if (!answer.ok) return;
  const marked = new Set([...rows.querySelectorAll(":checked")].map((box) => box.value));
  const table = `<table>${await answer.text()}</table>`;
  const parsed = parse(table);
  rows.replaceChildren(...parsed.querySelectorAll("tr"));
  for (const box of rows.querySelectorAll("input")) box.checked = marked.has(box.value);
}

if (rows && "works" in rows.dataset) setInterval(() => refresh().catch(() => {}), PAUSE);
