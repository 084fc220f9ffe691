// Curves over ε: Vega-Lite, drawn when they are about to be seen, in the colors of the page.
"use strict";
{
  const style = () => getComputedStyle(document.documentElement);
  const value = (name) => style().getPropertyValue(name).trim();

  function config() {
    const ink = value("--ink"), muted = value("--muted"), rule = value("--rule");
    const font = value("--sans");
    return {
      background: "transparent",
      font,
      view: { stroke: null },
      range: { category: Array.from({ length: 8 }, (_, k) => value(`--s${k}`)) },
      axis: {
        labelColor: muted, titleColor: muted, gridColor: rule, domainColor: rule, tickColor: rule,
        labelFont: font, titleFont: font, labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", domain: false,
      },
      text: { color: ink },
    };
  }

  // Series beyond the eighth repeat the colors, dashed.
  function colored(spec, series) {
    const made = structuredClone(spec);
    for (const layer of made.layer) {
      const { encoding } = layer;
      encoding.color.scale.domain = series;
      encoding.color.scale.range = series.map((_, k) => value(`--s${k % 8}`));
      if (series.length > 8 && layer.mark.type === "line") {
        encoding.strokeDash = {
          field: "series", type: "nominal", legend: null,
          scale: { domain: series, range: series.map((_, k) => (k < 8 ? [1, 0] : [4, 3])) },
        };
      }
    }
    return made;
  }

  for (const root of document.querySelectorAll("[data-charts]")) {
    const { series, specs } = JSON.parse(root.querySelector("script").textContent);
    let views = [], shown = "", started = false;

    async function draw() {
      started = true;
      for (const { finalize } of views) finalize();
      const places = [...root.querySelectorAll(".chart")];
      views = await Promise.all(places.map((place, k) => vegaEmbed(place, colored(specs[k], series), {
        mode: "vega-lite", actions: false, ast: true, renderer: "svg", config: config(), tooltip: { theme: "custom" },
      })));
      pick(shown);
      root.dataset.drawn = "";
    }

    function pick(name) {
      shown = name;
      for (const { view } of views) view.signal("shown", name).run();
      for (const button of root.querySelectorAll("[data-series]")) {
        button.setAttribute("aria-pressed", button.dataset.series === shown);
      }
    }

    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-series]");
      if (button) pick(button.dataset.series === shown ? "" : button.dataset.series);
    });
    whenSeen(root, draw);
    whenThemed(() => { if (started) draw(); });
    whenPrinting(() => { if (!started) draw(); });
  }
}
