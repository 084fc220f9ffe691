// The scoreboard's filters: text, section, whose, outcome, one seed.
"use strict";
{
  const form = document.getElementById("filters");
  const text = document.getElementById("filter-text");
  const section = document.getElementById("filter-section");
  const whose = document.getElementById("filter-whose");
  const seed = document.getElementById("filter-seed");
  const count = document.getElementById("filter-count");
  const rows = [...document.querySelectorAll("#scoreboard tr.entry")].map((row) => ({
    row,
    section: row.parentElement.dataset.section,
    words: row.textContent.toLowerCase(),
  }));

  function apply() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set([...form.querySelectorAll("[name=verdict]:checked")].map((box) => box.value));
    let shown = 0;
    for (const each of rows) {
      const { row } = each;
      const fits = verdicts.has(row.dataset.verdict)
        && (!section.value || each.section === section.value)
        && (!whose.value || row.dataset.whose === whose.value)
        && (!seed.checked || "oneSeed" in row.dataset)
        && words.every((word) => each.words.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    for (const body of document.querySelectorAll("#scoreboard tbody")) {
      body.hidden = !body.querySelector("tr.entry:not([hidden])");
    }
    for (const board of document.querySelectorAll(".board-of")) {
      board.hidden = !board.querySelector("tr.entry:not([hidden])");
    }
    count.textContent = `${shown} of ${rows.length} statements`;
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  apply();
}
