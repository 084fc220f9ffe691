// Figure 1.6 over the weight of the adversarial loss.
"use strict";
explorer("weights", (root, data) => {
  const slider = root.querySelector("input[type=range]");
  const output = root.querySelector("output");
  const select = root.querySelector("select");

  function show() {
    const at = +slider.value;
    const setting = select.value;
    output.textContent = data.weights[at];
    slider.setAttribute("aria-valuetext", `w = ${data.weights[at]}`);
    root.dataset.weight = data.weights[at];
    for (const item of root.querySelectorAll("[data-measure]")) {
      item.querySelector(".value").textContent = data.texts[item.dataset.measure][setting][at];
      const here = item.querySelector(".here");
      here.setAttribute("x1", data.places[at]);
      here.setAttribute("x2", data.places[at]);
      for (const group of item.querySelectorAll("g")) group.classList.toggle("picked", group.dataset.setting === setting);
    }
    for (const body of root.querySelectorAll("tbody")) body.hidden = body.dataset.setting !== setting;
    for (const row of root.querySelectorAll("tr")) {
      [...row.querySelectorAll(".num")].forEach((cell, k) => cell.classList.toggle("strong", k === at));
    }
    for (const item of root.querySelectorAll(".heads li")) {
      const picked = item.dataset.row === `w = ${data.weights[at]}`;
      item.classList.toggle("picked", picked);
      item.hidden = data.every && !picked && item.dataset.row.startsWith("w");
    }
  }

  slider.addEventListener("input", show);
  select.addEventListener("change", show);
  root.querySelector(".controls").hidden = false;
  show();
  whenPrinting(() => root.querySelectorAll("tbody, .heads li").forEach((some) => { some.hidden = false; }));
});
