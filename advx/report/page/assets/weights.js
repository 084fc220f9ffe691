// Figure 1.6 over the weight of the adversarial loss.
"use strict";
explorer("weights", (root, data) => {
  const slider = root.querySelector("input[type=range]");
  const output = root.querySelector("output");
  const select = root.querySelector("select");
  const shortly = (value) => Number(value.toPrecision(4)).toString();

  function show() {
    const at = +slider.value;
    const setting = select.value;
    output.textContent = data.weights[at];
    slider.setAttribute("aria-valuetext", `w = ${data.weights[at]}`);
    root.dataset.weight = data.weights[at];
    for (const item of root.querySelectorAll("[data-measure]")) {
      item.querySelector(".value").textContent = shortly(data.values[item.dataset.measure][setting][at]);
      const here = item.querySelector(".here");
      here.setAttribute("x1", data.places[at]);
      here.setAttribute("x2", data.places[at]);
      for (const group of item.querySelectorAll("g")) group.classList.toggle("picked", group.dataset.setting === setting);
    }
    for (const row of root.querySelectorAll(".weights-table tr[data-setting]")) row.hidden = row.dataset.setting !== setting;
    for (const row of root.querySelectorAll(".weights-table tr")) {
      const cells = [...row.children].slice(2);
      cells.forEach((cell, k) => cell.classList.toggle("strong", k === at));
    }
    for (const item of root.querySelectorAll(".heads li")) {
      item.classList.toggle("picked", item.dataset.row === `w = ${data.weights[at]}`);
    }
  }

  slider.addEventListener("input", show);
  select.addEventListener("change", show);
  root.querySelector(".controls").hidden = false;
  show();
  whenPrinting(() => root.querySelectorAll(".weights-table tr").forEach((row) => { row.hidden = false; }));
});
