// What every part of the page uses: explorers, the theme, printing, and where the reader is.
"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
const themed = [];
const printing = [];

// Run when the page changes between light and dark.
function whenThemed(act) { themed.push(act); }

// Run before the page is printed.
function whenPrinting(act) { printing.push(act); }

// Run once, when an element is about to be seen.
function whenSeen(element, act) {
  const observer = new IntersectionObserver((found) => {
    if (!found.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    act();
  }, { rootMargin: "600px" });
  observer.observe(element);
}

// Start an explorer, if the page has its place.
function explorer(name, start) {
  const root = document.querySelector(`[data-explorer="${name}"]`);
  if (root) start(root, JSON.parse(document.getElementById(`data-${name}`).textContent));
}

{
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  const changed = () => { name(); for (const act of themed) act(); };
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("advx-theme", root.dataset.theme); } catch { /* kept for this visit */ }
    changed();
  });
  dark.addEventListener("change", changed);
}

// A table of every number is text until it is unfolded: thousands of cells would be laid out for nothing.
for (const part of document.querySelectorAll("details.every")) {
  part.addEventListener("toggle", () => {
    const text = part.querySelector("noscript");
    if (text) text.outerHTML = text.textContent;
  });
}

addEventListener("beforeprint", () => {
  for (const act of printing) act();
  for (const part of document.querySelectorAll(".run details:not(.every)")) part.open = true;
});

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

{
  const contents = document.querySelector(".contents details");
  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver((found) => {
    for (const { target, isIntersecting } of found) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main > section[id]")) seen.observe(section);
  const narrow = matchMedia("(max-width: 1080px)");
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  contents.addEventListener("click", (event) => { if (event.target.closest("a") && narrow.matches) contents.open = false; });
}
