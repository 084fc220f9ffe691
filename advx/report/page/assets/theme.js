// Before anything is drawn: the theme that the reader chose the last time, and that scripts run.
"use strict";
document.documentElement.classList.add("js");
try {
  const chosen = localStorage.getItem("advx-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing for a file */ }
