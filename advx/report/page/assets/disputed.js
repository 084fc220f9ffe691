// Disputed numbers: one at a time. Without this script all are shown, one below the other.
"use strict";
explorer("disputed", (root) => {
  const tabs = root.querySelector(".tabs");
  const buttons = [...tabs.querySelectorAll("button")];
  const parts = [...root.querySelectorAll(".dispute")];
  const show = (which) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.dispute === which);
    for (const part of parts) part.hidden = part.dataset.dispute !== which;
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.dispute));
  tabs.hidden = false;
  show("0");
  whenPrinting(() => parts.forEach((part) => { part.hidden = false; }));
});
