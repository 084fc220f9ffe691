// Defenses: the attack and its size move the dots. Without this script both tables are shown.
"use strict";
explorer("defenses", (root) => {
  const controls = root.querySelector(".controls");
  const chosen = (name) => root.querySelector(`input[name="${name}"]:checked`).value;
  const show = () => {
    root.dataset.attack = chosen("defense-attack");
    const size = chosen("defense-size");
    for (const part of root.querySelectorAll(".defense-size")) part.hidden = part.dataset.size !== size;
    for (const cell of root.querySelectorAll("th[data-attack], td[data-attack]")) {
      cell.classList.toggle("strong", cell.dataset.attack === root.dataset.attack);
    }
  };
  controls.addEventListener("change", show);
  controls.hidden = false;
  show();
  whenPrinting(() => root.querySelectorAll(".defense-size").forEach((part) => { part.hidden = false; }));
});
